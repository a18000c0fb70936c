#!/bin/sh
# Makes the key that the simulated org signs for the bridge with, once.
#   keys.sh FOLDER
set -eu
cd "$1"
if [ ! -s bridge.pem ]; then
    umask 077
    openssl genrsa -out bridge.key 2048
    openssl rsa -in bridge.key -pubout -out bridge.pem.new
    mv bridge.pem.new bridge.pem
fi
