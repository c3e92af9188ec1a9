#!/bin/bash
# Entry point of the bucket: work.sh INPUT OUTPUT. What it does and why stands in the folder's README.
# The root file system may be read-only and HOME unset; /tmp is the only place for temporary files.
export HOME=/tmp LC_ALL=C.UTF-8 PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
# One CPU is what info.json asks for: more threads would only contend for it.
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
exec python3 /root/t1volumes/main.py "${1:-/input}" "${2:-/output}"
