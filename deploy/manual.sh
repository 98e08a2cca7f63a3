#!/usr/bin/env bash
# Writes the manual pages of ccr, ccr-broker and ccr-proxy, made from what their --help says. Needs help2man.
#   deploy/manual.sh BIN FOLDER    of the programs in BIN: FOLDER/man1/ccr.1.gz, FOLDER/man8/ccr-broker.8.gz and ccr-proxy.8.gz
set -euo pipefail
[ $# -eq 2 ] || { sed -n '2,3s/^# //p' "${BASH_SOURCE[0]}" >&2; exit 2; }
bin=$1 folder=$2
command -v help2man >/dev/null || { echo "manual.sh: help2man is missing: apt-get install help2man" >&2; exit 1; }
export HOME='~' LC_ALL=C  # a default in it is the reader's

# converted PROGRAM [ARGUMENT...]: its help, or that of `help COMMAND`, as help2man has it; examples keep their lines.
converted() {
  local program=$1
  shift
  help2man --no-info "$@" "$bin/$program" | sed -E 's/^(\\fB\\-[a-z]\\fR),(\\-\\-[a-z\\-]+)/\1, \\fB\2\\fR/' | awk '
    examples && (/^\.PP/ || /^\.S[HS]/) { print ".fi"; examples = 0 }
    /^Exit status: / { print ".SH \"EXIT STATUS\""; sub(/^Exit status: /, "") }
    { print }
    /^\.SH EXAMPLES/ { print ".nf"; examples = 1 }
    END { if (examples) print ".fi" }'
}

# The commands that a help lists: in groups, after its options and before its examples.
commands() { sed -n '/^Options:/,/^$/d; /^Examples:/,$d; s/^  \([a-z]\+\)  .*/\1/p' <<<"$1"; }

# One command, as a part of the page of ccr.
command_part() {
  local text
  text=$(converted ccr --help-option="help $*")
  echo ".SS \"ccr $*\""
  awk '
    /^\.SH SYNOPSIS/ { shown = 1; next }
    !shown { next }
    /^\.SH DESCRIPTION/ { print ".PP"; next }
    /^\.S[HS] / { gsub(/^\.S[HS] |"|:/, ""); print ".PP\n.B " toupper(substr($0, 1, 1)) tolower(substr($0, 2)) ":"; next }
    { print }' <<<"$text"
}

command_parts() {
  local command inner help
  echo "[COMMANDS]"
  for command in $(commands "$("$bin/ccr" --help)"); do
    command_part "$command"
    help=$("$bin/ccr" help "$command")
    for inner in $(grep -q '^Commands:' <<<"$help" && commands "$help"); do command_part "$command" "$inner"; done
  done
}

# page PROGRAM SECTION [FURTHER-PARTS]
page() {
  local program=$1 section=$2 help name file
  help=$("$bin/$program" --help)
  name=$(sed -n '1{s/\.$//; s/^./\l&/; p}' <<<"$help")  # the first line says what it is
  file=$folder/man$section/$program.$section.gz
  mkdir -p "$folder/man$section"
  {
    [ -z "${3:-}" ] || "$3"
    cat "$parts"
  } >"$parts.$program"
  converted "$program" --section="$section" --name="$name" --include="$parts.$program" >"$parts.page"
  gzip -9n <"$parts.page" >"$file"
  chmod 0644 "$file"
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
parts=$work/parts
cat >"$parts" <<'TEXT'
[FILES]
.TP
.I ~/.claude\-code\-router/config.json
The configuration, JSON5, as Claude Code Router reads it.
.TP
.I ~/.claude\-code\-router/logs/
What broker and proxy say, when
.B ccr start
started them.
.TP
.I /etc/ccr/config.json5\fR, \fI/etc/ccr/keys/
Configuration and keys of the system's units.
.TP
.I /usr/share/doc/ccr/
README.md is the manual; deploy/README.md tells of units, flags, metrics and logs.

[SEE ALSO]
.BR ccr (1),
.BR ccr\-broker (8),
.BR ccr\-proxy (8)
TEXT
page ccr 1 command_parts
page ccr-broker 8
page ccr-proxy 8
