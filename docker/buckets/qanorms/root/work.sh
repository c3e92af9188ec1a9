#!/bin/bash
# Entry point of the bucket: work.sh INPUT OUTPUT. What it does and why stands in the folder's README.
export HOME=/tmp LC_ALL=C.UTF-8 PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
exec python3 /root/qanorms/main.py "${1:-/input}" "${2:-/output}" /memory/norms.sqlite
