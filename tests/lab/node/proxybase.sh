#!/usr/bin/env bash
# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# proxybase.sh ROOT OUT: out of a node's tree, the few files that kube-proxy needs beside itself (iptables with its
# extensions, conntrack, nft and their libraries): 8 MB instead of a second tree. Run by mmdebstrap as a hook.
set -euo pipefail
root=$1 out=$2
cd "$root"
programs=(/usr/sbin/xtables-nft-multi /usr/sbin/conntrack /usr/sbin/nft)
{
  ls -d bin sbin lib lib64 etc/{passwd,group,protocols,services,nsswitch.conf} etc/alternatives/ip*tables* \
    usr/sbin/ip*tables* usr/sbin/{xtables-nft-multi,conntrack,nft} usr/lib/*/xtables
  ls -d usr/lib64/ld-linux* usr/lib/ld-linux* usr/lib/*/ld-linux* 2>/dev/null || true
  chroot . bash -c 'ldd "$@" /usr/lib/*/xtables/*.so' ldd "${programs[@]}" |
    awk '$2 == "=>" && $3 ~ "^/" { print $3 }' | sort -u |
    while read -r library; do
      # The tree has /lib as a link to /usr/lib; both the link to a library and the library itself are needed.
      path=usr/${library#/}
      path=${path/usr\/usr/usr}
      echo "$path"
      echo "$(dirname "$path")/$(basename "$(readlink -f "./$path")")"
    done
} | sort -u | tar --numeric-owner --mtime=@0 --sort=name -cf "$out" -T -
