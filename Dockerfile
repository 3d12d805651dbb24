# Two images of the server: `cpu` (the voices that come with it; small) and `gpu` (Qwen3-TTS as well).
#   docker build --target cpu -t realtime:cpu .
#   docker build --target gpu -t realtime:gpu .
# Steps are the scripts of deploy/image, which are lent to a build and not copied into it. Secrets, all optional, lend
# what a network asks for: apt.conf (settings of apt), pip.conf (settings of pip), ca.crt (certificates that they name).
ARG BASE=debian:bookworm-slim
# Of the CUDA that the torch of requirements-torch.txt is built for. Only flash-attn needs its compiler; to run, torch
# brings the libraries itself.
ARG CUDA_BUILD=nvidia/cuda:13.0.3-devel-ubuntu24.04
ARG CUDA_RUN=nvidia/cuda:13.0.3-base-ubuntu24.04

# The packages, which change less often than the code.
FROM ${BASE} AS cpu-packages
RUN --mount=type=bind,source=deploy/image,target=/image --mount=type=secret,id=apt.conf \
    --mount=type=secret,id=sources.list --mount=type=secret,id=ca.crt \
    sh /image/system.sh ca-certificates python3 python3-venv
RUN --mount=type=bind,source=deploy/image,target=/image --mount=type=bind,source=requirements.lock,target=/lock \
    --mount=type=secret,id=pip.conf --mount=type=secret,id=ca.crt \
    sh /image/packages.sh /opt/venv /lock && sh /image/finish.sh /opt/venv setuptools pip

FROM ${CUDA_BUILD} AS gpu-packages
RUN --mount=type=bind,source=deploy/image,target=/image --mount=type=secret,id=apt.conf \
    --mount=type=secret,id=sources.list --mount=type=secret,id=ca.crt \
    sh /image/system.sh ca-certificates g++ python3 python3-dev python3-venv
RUN --mount=type=bind,source=deploy/image,target=/image --mount=type=bind,source=requirements-qwen3.lock,target=/lock \
    --mount=type=secret,id=pip.conf --mount=type=secret,id=ca.crt \
    sh /image/packages.sh /opt/venv /lock
RUN --mount=type=bind,source=deploy/image,target=/image --mount=type=bind,source=requirements-torch.txt,target=/torch \
    --mount=type=secret,id=pip.conf --mount=type=secret,id=ca.crt \
    sh /image/torch.sh /opt/venv /torch
# 0 leaves it out: an hour less, and ATTENTION=flash is not there. Kinds of cards, and what the machine that builds has.
ARG FLASH_ATTN=1
ARG FLASH_ATTN_CUDA_ARCHS="80;90;100;120"
ARG MAX_JOBS=4
ARG NVCC_THREADS=2
RUN --mount=type=bind,source=deploy/image,target=/image \
    --mount=type=secret,id=pip.conf --mount=type=secret,id=ca.crt \
    sh /image/flash-attn.sh /opt/venv && sh /image/finish.sh /opt/venv ninja psutil wheel pip

FROM ${BASE} AS cpu
RUN --mount=type=bind,source=deploy/image,target=/image --mount=type=secret,id=apt.conf \
    --mount=type=secret,id=sources.list --mount=type=secret,id=ca.crt \
    sh /image/system.sh ca-certificates libjemalloc2 python3 tini && sh /image/user.sh /data /run/realtime
COPY --from=cpu-packages /opt/venv /opt/venv
WORKDIR /app
COPY LICENSE deploy/image/health.py ./
COPY web ./web
COPY realtime ./realtime
RUN python3 -m compileall -q --invalidation-mode unchecked-hash realtime
# jemalloc gives back memory that glibc would keep for each thread. By its name alone the loader finds it on every
# kind of machine. Unused pages go back after a second, by a thread of its own and not in the midst of a request. It may
# have four arenas for each core, which is no waste: a process here has ten threads or so, and each keeps to one.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONDONTWRITEBYTECODE=1 \
    LD_PRELOAD=libjemalloc.so.2 \
    MALLOC_CONF=background_thread:true,dirty_decay_ms:1000,muzzy_decay_ms:0 \
    HOST=0.0.0.0 \
    PORT=8000 \
    DATA_FOLDER=/data \
    LOG_FORMAT=json
USER 10001:10001
EXPOSE 8000
VOLUME ["/data"]
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 CMD ["python", "/app/health.py"]
ENTRYPOINT ["/usr/bin/tini", "-s", "--", "python", "-m", "realtime"]
CMD ["serve"]
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="realtime" \
      org.opencontainers.image.description="A realtime text-to-speech server: text streams in, sound streams out" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

FROM ${CUDA_RUN} AS gpu
# A compiler stays in this one: Triton builds the starters of its kernels with it when they are first run.
RUN --mount=type=bind,source=deploy/image,target=/image --mount=type=secret,id=apt.conf \
    --mount=type=secret,id=sources.list --mount=type=secret,id=ca.crt \
    sh /image/system.sh ca-certificates gcc libc6-dev libjemalloc2 python3 python3-dev rubberband-cli tini \
    && sh /image/user.sh /data /run/realtime /cache
COPY --from=gpu-packages /opt/venv /opt/venv
WORKDIR /app
COPY LICENSE deploy/image/health.py ./
COPY web ./web
COPY realtime ./realtime
RUN python3 -m compileall -q --invalidation-mode unchecked-hash realtime
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONDONTWRITEBYTECODE=1 \
    LD_PRELOAD=libjemalloc.so.2 \
    MALLOC_CONF=background_thread:true,dirty_decay_ms:1000,muzzy_decay_ms:0 \
    HOST=0.0.0.0 \
    PORT=8000 \
    DATA_FOLDER=/data \
    LOG_FORMAT=json \
    ENGINE=qwen3 \
    SPEED_QUALITY=high \
    HF_HOME=/cache/huggingface \
    TRITON_CACHE_DIR=/cache/triton \
    TORCHINDUCTOR_CACHE_DIR=/cache/inductor \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
USER 10001:10001
EXPOSE 8000
VOLUME ["/data", "/cache"]
STOPSIGNAL SIGTERM
# The first start downloads the model.
HEALTHCHECK --interval=30s --timeout=5s --start-period=15m --retries=3 CMD ["python", "/app/health.py"]
ENTRYPOINT ["/usr/bin/tini", "-s", "--", "python", "-m", "realtime"]
CMD ["serve"]
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="realtime" \
      org.opencontainers.image.description="A realtime text-to-speech server: text streams in, sound streams out" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
