# Debian in a folder, for tests that need one of their own. Sourced by bash; needs root.
#
# What is mounted there is mounted in a mount namespace that ends with the script, and so do its processes: whatever way it ends,
# nothing stays mounted and nothing runs on. Nothing is ever deleted where something may be mounted.

say() { printf '%s: %s\n' "${0##*/build/}" "$*" >&2; }
fail() { say "$*"; exit 1; }

# Starts the script again in namespaces of its own. `inside` is set there.
in_own_namespaces() {
    [ -z "${inside:-}" ] || return 0
    [ "$(id -u)" -eq 0 ] || fail "root rights are needed to make a Debian in a folder: run this as root."
    command -v debootstrap >/dev/null || fail "debootstrap is missing: run 'apt-get install debootstrap'."
    inside=yes exec unshare --mount --propagation private --pid --fork --kill-child "$0" "$@"
}

# make_debian SUITE FOLDER: the smallest Debian, unless the folder has it already.
make_debian() {
    local suite=$1 folder=$2 mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
    [ ! -f "$folder/.complete" ] || return 0
    # One that was interrupted.
    [ ! -e "$folder" ] || rm -rf --one-file-system "$folder"
    mkdir -p "$folder"
    say "making a Debian $suite in $folder"
    debootstrap --variant=minbase "$suite" "$folder" "$mirror" >"$folder.log" 2>&1 ||
        fail "debootstrap failed ($(tail -n 1 "$folder.log")): check the network, or name another mirror with DEBIAN_MIRROR."
    # Its services do not start, and a mirror may be a snapshot.
    printf '#!/bin/sh\nexit 101\n' >"$folder/usr/sbin/policy-rc.d"
    chmod 755 "$folder/usr/sbin/policy-rc.d"
    printf 'Acquire::Check-Valid-Until "false";\nAPT::Install-Recommends "false";\n' >"$folder/etc/apt/apt.conf.d/99test"
    [ "$suite" = sid ] || printf 'deb %s %s-updates main\ndeb %s-security %s-security main\n' "$mirror" "$suite" "$mirror" "$suite" \
        >"$folder/etc/apt/sources.list.d/updates.list"
    touch "$folder/.complete"
}

# mount_system FOLDER: what every system has.
mount_system() {
    mkdir -p "$1/build"
    mount -t proc proc "$1/proc"
    mount --bind /dev "$1/dev"
    mount -t tmpfs tmpfs "$1/dev/shm"
    mount --bind /dev/pts "$1/dev/pts"
    mount -t sysfs -o ro sysfs "$1/sys"
    cp -L /etc/resolv.conf "$1/etc/resolv.conf"
    cp -L /etc/hosts "$1/etc/hosts"
}

# within FOLDER COMMAND...: runs a command there, without the variables of this user.
within() {
    local folder=$1
    shift
    chroot "$folder" /usr/bin/env -i HOME=/build LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
        PATH="/build/.cargo/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" "$@"
}
