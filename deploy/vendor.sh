#!/bin/sh
# vendor.sh FOLDER: writes what the page takes from others into FOLDER, made from the packages in node_modules.
# The same packages give the same bytes.
set -eu
folder=$1
mkdir -p "$folder"
used='export {
  AppendOnlyStreamTarget,
  BufferTarget,
  EncodedAudioPacketSource,
  EncodedPacket,
  Mp4OutputFormat,
  OggOutputFormat,
  Output,
  StreamTarget,
  WebMOutputFormat,
} from "mediabunny";'
printf '%s\n' "$used" > "$folder/mediabunny.d.ts"
printf '%s\n' "$used" | node_modules/.bin/esbuild --bundle --format=esm --minify --target=es2022 --charset=utf8 \
  --legal-comments=none --log-level=warning --outfile="$folder/mediabunny.js"
cp node_modules/mediabunny/LICENSE "$folder/mediabunny.LICENSE"
version=$(node -p 'require("./node_modules/mediabunny/package.json").version')
cat > "$folder/README.md" <<TEXT
# What the page takes from others

\`mediabunny.js\` holds the parts of [mediabunny](https://mediabunny.dev) $version that the page uses, in one file. It is under
the MPL-2.0 (\`mediabunny.LICENSE\`); its source is the npm package \`mediabunny\` of that version. \`make vendor\` writes
this folder anew from the versions in \`package-lock.json\`, byte for byte.
TEXT
