#!/bin/sh
# finish.sh VENV [PACKAGE...]: takes out of a virtual environment what only the build needed, the packages named, and
# what packages bring that no program here opens; then compiles it. Runs inside a build. Licences stay.
set -eu
venv=$1
shift
python=$venv/bin/python
# pip goes last, as it removes the others.
for package in "$@"; do
  [ "$package" = pip ] || "$python" -m pip uninstall --quiet --yes "$package"
done
case " $* " in
  *' pip '*) "$python" -m pip uninstall --quiet --yes pip ;;
esac
cd "$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
# Tests with their data, headers and types. Of these packages alone: Triton compiles with headers that it brings.
find numpy onnx -type d -name tests -prune -exec rm -rf {} +
rm -rf onnx/backend/test onnx/test numpy/f2py numpy/distutils
find aiohttp av google numpy onnx \( -name '*.pyi' -o -name '*.pxd' -o -name '*.h' -o -name '*.a' \) -type f -delete
# Programs of onnxruntime that prepare models, and its library for programs in C: its module for Python has it inside.
rm -rf onnxruntime/transformers onnxruntime/quantization onnxruntime/tools onnxruntime/datasets
rm -f onnxruntime/capi/libonnxruntime.so.*
# Nobody may write here when it runs, so what Python would keep is made now, and believed without a look at the sources.
# Torch has a file for later Pythons, which this one may not be able to compile and never opens.
"$python" -m compileall -q -j 0 --invalidation-mode unchecked-hash . >&2 || echo 'The rest was compiled.' >&2
