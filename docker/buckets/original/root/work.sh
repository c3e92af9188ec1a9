#!/bin/bash
# As buckets of the original are written: it works in directories of its own wherever it likes, leaves temporary files
# behind, keeps a count in /memory, and says in proc.json what came of it.
input=$1
output=$2
export PATH=$PATH:/opt/tools

mkdir -p /opt/tools /root/work /var/log/bucket
printf '#!/bin/sh\nfind "$1" -type f | wc -l\n' >/opt/tools/count-files
chmod +x /opt/tools/count-files
cp "$input"/* /root/work/
chmod u+w /root/work/*
count=$(count-files /root/work)
echo "$(date) $count files" >>/var/log/bucket/runs.log

runs=$(($(cat /memory/runs 2>/dev/null || echo 0) + 1))
echo "$runs" >/memory/runs
echo "run $runs of this bucket, $count files, $(cat /memory/site)"

printf '{ "files": %s, "runs": %s }\n' "$count" "$runs" >"$output/count.json"
mv /root/work/* "$output/"
printf '[{ "success": "success", "message": "%s files" }]\n' "$count" >"$output/proc.json"
