#!/bin/sh
# work.sh INPUT OUTPUT: one run. What it may count on stands in README.md.
# A run that asks for one processor is no faster with more threads.
export HOME=/tmp PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
exec python3 /root/main.py "${1:-/input}" "${2:-/output}"
