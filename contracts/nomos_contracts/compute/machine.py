"""The machine that a bootstrap script meets in the sandbox: its commands, stand-ins for some of them, and its files."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from shlex import quote
from typing import Final

from nomos_contracts.compute.plans import Plan
from nomos_contracts.compute.substitutes import MARK, RAN, RUNNER, STAND_IN, UNPACKER

SYSTEM: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where commands are on most images."""

REAL: Final = """
    arch awk b2sum base32 base64 basename bash bunzip2 busybox bzcat bzip2 cat chmod cksum cmp column comm cp cpio
    csplit cut dash date dd df diff dirname du echo egrep env envsubst expand expr factor false fgrep file find
    flock fmt fold gawk getconf getopt grep groups head hexdump id iconv join jq ksh link ln logname ls mawk
    md5sum mkdir mkfifo mktemp more mv nl nproc od openssl paste perl pr printenv printf ps pwd python python3
    readlink realpath rev rm rmdir run-parts sed seq sh sha1sum sha224sum sha384sum shuf sort split stat strings
    stty sum sync tac tail tee test touch tr true truncate tsort tty uname unexpand uniq unlink uptime uuidgen wc
    which who whoami xargs xxd yes yq zgrep zsh zstd
""".split()  # noqa: SIM905 # words, not code
"""Commands that work on files alone; they are the machine's own."""

FAKE: Final = """
    add-apt-repository addgroup adduser amazon-linux-extras apk apt apt-cache apt-get apt-key apt-mark at aws az
    blkid chattr chcon chgrp chown chpasswd chronyc cloud-id cloud-init containerd crontab ctr curl dd-agent
    debconf-set-selections deluser depmod dig dmesg dnf docker dockerd dpkg dpkg-reconfigure ec2metadata ethtool
    fallocate fdisk fuser pgrep pidof firewall-cmd free gcloud getent git gpasswd gpg groupadd groupdel groupmod
    growpart gsutil halt helm hostname hostnamectl hwclock ifconfig initctl insmod ip ip6tables iptables
    journalctl kubectl ldconfig locale-gen localectl logger loginctl losetup lsb_release lsblk lscpu lsof lspci
    microdnf mkfs mkfs.ext4 mkfs.xfs mkswap modprobe mount mountpoint nc netplan netstat nft npm nslookup ntpdate
    nvidia-ctk nvidia-smi pacman parted partprobe passwd ping pip pip3 pkill podman poweroff reboot resize2fs
    restorecon rmmod route rpm rsync rc-service rc-update scp semanage service setcap setenforce shutdown sleep
    snap ss ssh ssh-keygen ssh-keyscan subscription-manager swapoff swapon sysctl systemctl systemd-cat tailscale
    tailscaled tdnf timedatectl ufw umount update-alternatives update-ca-certificates update-locale update-rc.d
    udevadm useradd userdel usermod visudo wall wget yum yum-config-manager zypper
""".split()  # noqa: SIM905 # words, not code
"""Commands that would change the machine or ask others: they note how they were called and succeed."""

RUNNERS: Final = [
    "chrt",
    "doas",
    "gosu",
    "ionice",
    "nice",
    "nohup",
    "runuser",
    "setpriv",
    "setsid",
    "stdbuf",
    "su",
    "sudo",
    "systemd-run",
    "timeout",
    "cloud-init-per",
]
"""Commands whose meaning is to run another one."""

UNPACKERS: Final = "gunzip gzip install sha256sum sha512sum tar unxz unzip xz xzcat zcat".split()  # noqa: SIM905
"""The machine's own, but for what a stand-in fetched: that is no archive, and its checksum is not the one expected."""

FOLDERS: Final = """
    etc/apt/apt.conf.d etc/apt/keyrings etc/apt/preferences.d etc/apt/sources.list.d etc/apt/trusted.gpg.d
    etc/cloud etc/cron.d etc/cron.daily etc/default etc/init.d etc/logrotate.d etc/modprobe.d etc/modules-load.d
    etc/netplan etc/network etc/pam.d etc/profile.d etc/rsyslog.d etc/security/limits.d etc/ssh/sshd_config.d
    etc/ssl/certs etc/ssl/private etc/sudoers.d etc/sysctl.d etc/systemd/system/multi-user.target.wants
    etc/tmpfiles.d etc/udev/rules.d etc/yum.repos.d etc/skel home/ubuntu/.ssh opt root/.ssh run/lock
    run/systemd/system run/user run/cloud-init srv tmp usr/local/bin usr/local/etc usr/local/games
    usr/local/include usr/local/lib usr/local/libexec usr/local/man usr/local/sbin usr/local/share/ca-certificates
    usr/local/src var/backups var/cache/apt/archives var/lib/apt/lists var/lib/cloud/data
    var/lib/cloud/instance/scripts var/lib/cloud/scripts/per-boot var/lib/dpkg var/lib/systemd var/local
    var/log/journal var/mail var/opt var/spool/cron/crontabs var/tmp
""".split()  # noqa: SIM905 # words, not code

FILES: Final = {
    "etc/os-release": 'PRETTY_NAME="Ubuntu 24.04 LTS"\nNAME="Ubuntu"\nVERSION_ID="24.04"\nVERSION="24.04 LTS"\n'
    "VERSION_CODENAME=noble\nID=ubuntu\nID_LIKE=debian\nUBUNTU_CODENAME=noble\n"
    'HOME_URL="https://www.ubuntu.com/"\n',
    "etc/lsb-release": "DISTRIB_ID=Ubuntu\nDISTRIB_RELEASE=24.04\nDISTRIB_CODENAME=noble\n",
    "etc/debian_version": "trixie/sid\n",
    "etc/passwd": "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n"
    "www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin\nubuntu:x:1000:1000::/home/ubuntu:/bin/bash\n"
    "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    "etc/group": "root:x:0:\ndaemon:x:1:\nadm:x:4:\nsudo:x:27:ubuntu\nwww-data:x:33:\nusers:x:100:\nubuntu:x:1000:\n"
    "nogroup:x:65534:\n",
    "etc/shadow": "root:*:19000:0:99999:7:::\nubuntu:!:19000:0:99999:7:::\n",
    "etc/gshadow": "root:*::\n",
    "etc/hostname": "instance\n",
    "etc/hosts": "127.0.0.1 localhost\n127.0.1.1 instance\n::1 localhost\n",
    "etc/resolv.conf": "nameserver 127.0.0.53\n",
    "etc/fstab": "LABEL=cloudimg-rootfs / ext4 defaults 0 1\n",
    "etc/machine-id": "0123456789abcdef0123456789abcdef\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n",
    "etc/environment": 'PATH="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"\n',
    "etc/default/grub": "GRUB_CMDLINE_LINUX=\n",
    "etc/ssl/certs/ca-certificates.crt": "",
    "home/ubuntu/.ssh/authorized_keys": "",
    "home/ubuntu/.bashrc": "",
    "home/ubuntu/.profile": "",
    "root/.bashrc": "",
    "root/.profile": "",
    "var/log/cloud-init-output.log": "",
    "var/log/syslog": "",
    **dict.fromkeys(
        [
            "etc/profile",
            "etc/bash.bashrc",
            "etc/sudoers",
            "etc/ssh/sshd_config",
            "etc/apt/sources.list",
            "etc/timezone",
            "etc/localtime",
            "etc/shells",
            "etc/sysctl.conf",
            "etc/login.defs",
            "etc/crontab",
            "etc/modules",
            "etc/issue",
            "etc/motd",
            "etc/security/limits.conf",
        ],
        "",
    ),
}
"""The files that each image has, below the root; those without content are there to be read or added to."""


def furnish(scratch: Path, plans: Sequence[Plan], *, agent: str, isolated: bool) -> Path:
    """Write what the machine is made of below *scratch*: ``bin``, its commands, and ``machine``, its files.

    Returns:
        The folder with the commands.
    """
    folder = scratch / "bin"
    folder.mkdir()
    for name in REAL:
        found = shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin" if isolated else None)
        if found:
            (folder / name).symlink_to(os.path.realpath(found))
    replaced = {"@HERE@": quote(str(scratch)), "@MARK@": MARK, "@ISOLATED@": "1" if isolated else "''"}
    for label, text, names in (
        ("stand-in", STAND_IN, FAKE),
        ("runner", RUNNER, RUNNERS),
        ("unpacker", UNPACKER, UNPACKERS),
        ("ran", RAN, ()),
    ):
        body = scratch / label
        body.write_text(re.sub("@[A-Z]+@", lambda found: replaced[found[0]], text), encoding="utf-8")
        body.chmod(0o755)
        for name in names:
            (folder / name).symlink_to(body)
    (scratch / "laid").mkdir()
    for name in (*FAKE, *RUNNERS):
        (scratch / "laid" / name).symlink_to((folder / name).readlink())
    (scratch / "fetched").mkdir()
    (scratch / "plan").write_text("0\n", encoding="utf-8")
    (scratch / "agent-url").write_text(agent, encoding="utf-8")
    (scratch / "unpacked").write_text("".join(f"{one}\n" for one in _unpacked(plans)), encoding="utf-8")
    if isolated:
        _write(scratch / "machine")
    return folder


def _unpacked(plans: Sequence[Plan]) -> list[str]:
    """Return the files that the scripts use as if they had been there: those that an archive may hold."""
    texts = [data.decode(errors="replace") for plan in plans for data in plan.files.values()]
    texts += [part for plan in plans for command in plan.commands for part in command]
    words: dict[str, None] = {}
    for text in texts:
        words.update(dict.fromkeys(re.findall(r"(?<![\w.$-])(?:\./|/)\w[\w.+-]*(?:/[\w.+-]+)*", text)))
        for operands in re.findall(r"(?:^|[\s;&|])(?:chmod|chown|mv|cp|install|ln|exec)\s([^\n;&|]+)", text):
            words.update(dict.fromkeys(re.findall(r"(?<![\w./$-])[A-Za-z][\w.+-]*(?:/[\w.+-]+)*", operands)))
    names = (one.removeprefix("./") for one in words)
    return [one for one in names if ".." not in one.split("/") and not one.endswith(".sh")][:500]


def _write(root: Path) -> None:
    for name in FOLDERS:
        (root / name).mkdir(parents=True, exist_ok=True)
    for name, text in FILES.items():
        (root / name).write_text(text, encoding="utf-8")
    with suppress(OSError, shutil.Error):
        shutil.copytree("/etc/alternatives", root / "etc" / "alternatives", symlinks=True)
