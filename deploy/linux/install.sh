#!/usr/bin/env bash
# Install Friren as services of this machine, or bring an installation up to this checkout. Run again at any time: what
# is as it should be stays as it is, and nothing is said to have changed. Settings are never changed.
#
#   sudo deploy/linux/install.sh [--dry-run] [--venv FOLDER] [--root FOLDER] [--no-start]
#
#   --dry-run      only say what would be done
#   --venv FOLDER  services use this environment, which has Friren already; none is made
#   --root FOLDER  lay everything below FOLDER, for a package or an image: no user, no database, no start
#   --no-start     neither migrate nor start anything
set -euo pipefail

usage() { sed -n '2,10s/^# \{0,1\}//p' "$0"; }

dry_run=false start=true root='' venv=''
while [ $# -gt 0 ]; do
    case $1 in
        --dry-run) dry_run=true ;;
        --no-start) start=false ;;
        --root) root=${2:?--root needs a folder}; start=false; shift ;;
        --venv) venv=${2:?--venv needs a folder}; shift ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
    esac
    shift
done

here=$(cd "$(dirname "$0")" && pwd)
checkout=$(cd "$here/../.." && pwd)
user=friren
own_venv=/opt/friren/.venv
changes=0 units_changed=false code_changed=false

fail() { printf 'error: %s\n' "$*" >&2; exit 1; }

# change WHAT COMMAND…: say what is changed, and do it.
change() {
    local what=$1
    shift
    changes=$((changes + 1))
    if $dry_run; then printf 'would change: %s\n' "$what"; else printf 'changed: %s\n' "$what"; "$@"; fi
}

as_owner() { if [ -z "$root" ]; then printf '%s' "$1"; else id -un; fi; }

folder() { # PATH MODE OWNER
    [ -d "$root$1" ] || change "$1" install -d -m "$2" -o "$(as_owner "$3")" -g "$(id -gn "$(as_owner "$3")" 2>/dev/null || echo "$3")" "$root$1"
}

put() { # SOURCE TARGET MODE: a file of this checkout; one that was edited there is ours again
    if ! cmp -s "$1" "$root$2"; then
        change "$2" install -D -m "$3" "$1" "$root$2"
        case $2 in *.service | *.timer) units_changed=true ;; esac
    fi
}

unit() { # FILE: a unit, with the environment that is used
    local text
    text=$(mktemp)
    sed "s|$own_venv|${venv:-$own_venv}|g" "$here/$1" >"$text"
    put "$text" "/etc/systemd/system/$1" 0644
    rm -f "$text"
}

make_settings() {
    local file="$root/etc/friren/friren.env" key
    key=$(head -c 48 /dev/urandom | base64 | tr -d '\n')
    (umask 077 && { cat "$here/friren.env.example" && printf 'SECRET_KEY=%s\n' "$key"; } >"$file")
    [ -n "$root" ] || chown "$user:$user" "$file"
}

make_environment() {
    command -v uv >/dev/null || python3 -m uv --version >/dev/null 2>&1 || fail "uv is missing: python3 -m pip install uv, or https://docs.astral.sh/uv"
    local uv=(uv)
    command -v uv >/dev/null || uv=(python3 -m uv)
    [ -x "$root$own_venv/bin/python" ] || "${uv[@]}" venv --quiet --python '>=3.11' "$root$own_venv"
    # The lock is the constraint: its versions and hashes, and of its packages only those that a service needs.
    "${uv[@]}" pip install --quiet --python "$root$own_venv/bin/python" --constraint "$checkout/requirements.lock" \
        "friren[web,s3,data] @ file://$checkout"
    fingerprint >"$root$own_venv/friren-installed"
}

# What is installed hangs on the lock and on the code; both are told by one number.
fingerprint() {
    (cd "$checkout" && find pyproject.toml requirements.lock friren trading_engine portfolio_manager \
        -type f ! -name '*.pyc' -print0 | sort -z | xargs -0 sha256sum | sha256sum | cut -d' ' -f1)
}

make_user() { useradd --system --user-group --home-dir /var/lib/friren --no-create-home --shell /usr/sbin/nologin "$user"; }

as_friren() { runuser -u "$user" -- env FRIREN_ENV_FILE=/etc/friren/friren.env "${venv:-$own_venv}/bin/friren" "$@"; }

uses_a_server() { grep -qsE '^(DATABASE_URL|DB_HOST|POSTGRES_HOST)=.' "$root/etc/friren/friren.env"; }

enabled() { # UNIT
    systemctl is-enabled --quiet "$1" 2>/dev/null || change "$1 starts with the machine" systemctl enable --quiet "$1"
}

[ -n "$root" ] || $dry_run || [ "$(id -u)" = 0 ] || fail "run it as root: sudo $0"

[ -n "$root" ] || getent passwd "$user" >/dev/null || change "user $user" make_user
folder /opt/friren 0755 root
folder /var/lib/friren 0755 "$user"
folder /etc/friren 0755 root
[ -n "$venv" ] || [ "$(cat "$root$own_venv/friren-installed" 2>/dev/null)" = "$(fingerprint)" ] ||
    { code_changed=true; change "$own_venv" make_environment; }
[ -e "$root/etc/friren/friren.env" ] || change "/etc/friren/friren.env, with a new SECRET_KEY" make_settings
put "$here/gunicorn.conf.py" /etc/friren/gunicorn.conf.py 0644
put "$here/nginx-proxy.conf" /etc/friren/nginx-proxy.conf 0644
[ ! -d "$root/etc/nginx/sites-available" ] || [ -e "$root/etc/nginx/sites-available/friren" ] ||
    put "$here/nginx-friren.conf" /etc/nginx/sites-available/friren 0644
for file in "$here"/*.service "$here"/*.timer; do unit "$(basename "$file")"; done

if $start && ! $dry_run; then
    [ -d /run/systemd/system ] || fail "systemd does not run here; everything is in place: --no-start leaves it at that"
    ! $units_changed || systemctl daemon-reload
    uses_a_server || { enabled friren-embedded.service && systemctl start friren-embedded.service; }
    if [ "$(as_friren migrate --check >/dev/null 2>&1; echo $?)" != 0 ]; then change "tables" as_friren setup_database; fi
    for name in friren-web.service friren-worker.service; do
        enabled "$name"
        if ! systemctl is-active --quiet "$name"; then
            change "$name is started" systemctl start "$name"
        elif $units_changed || $code_changed; then
            change "$name is started anew" systemctl restart "$name"
        fi
    done
fi
if [ $changes = 0 ]; then echo "nothing to change"; fi
