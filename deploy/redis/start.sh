#!/bin/sh
# Starts Valkey with the users of `users.acl` beside this file, whose passwords come from the environment:
# WORKER_PASSWORD, PRODUCER_PASSWORD and READER_PASSWORD, and SCALER_PASSWORD where an autoscaler reads the queues'
# lengths; nobody knows that user's password otherwise. All arguments are Valkey's.
set -eu
umask 077
users=$(mktemp)
sha256() { printf %s "$1" | sha256sum | cut -d ' ' -f 1; }
sed -e "s/WORKER_SHA256/$(sha256 "${WORKER_PASSWORD:?}")/" \
    -e "s/PRODUCER_SHA256/$(sha256 "${PRODUCER_PASSWORD:?}")/" \
    -e "s/READER_SHA256/$(sha256 "${READER_PASSWORD:?}")/" \
    -e "s/SCALER_SHA256/$(sha256 "${SCALER_PASSWORD:-$(head -c 32 /dev/urandom | od -An -tx1)}")/" "$(dirname "$0")/users.acl" > "$users"
exec valkey-server --aclfile "$users" "$@"
