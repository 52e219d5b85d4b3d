# recipe.bash: what run_squad.sh and generate_figures.sh, which take the positions of the 2019 recipe, and trained have in common. They
# source it with `program` set to their name.

fail() { echo "$program: $*" >&2; exit 1; }
usage() { echo "$program: $*; see $0 --help" >&2; exit 2; }

# Sets format by FORMAT, and precision where it is empty; refuses what does not go together.
choose_format() {
  local precisions
  format=${FORMAT:-bert}
  case $format in
    bert) precision=${precision:-auto} precisions="auto, fp32, bf16, int8 or fp16" ;;
    onnx | savedmodel) precision=${precision:-fp32} precisions="fp32, bf16 or fp16" ;;
    *) usage "FORMAT must be bert, onnx or savedmodel, got \"$format\"" ;;
  esac
  case $format:$precision in
    *:fp32 | *:bf16 | bert:auto | bert:int8) ;;
    *:fp16) echo "$program: fp16 runs as bf16 on a CPU"; precision=bf16 ;;
    *) usage "PRECISION must be $precisions, got \"$precision\"" ;;
  esac
}

# Sets protocol by PROTOCOL, and label, its name in the server's log.
choose_protocol() {
  protocol=${PROTOCOL:-grpc}
  case $protocol in
    grpc) label=gRPC ;;
    http) label=HTTP ;;
    *) usage "PROTOCOL must be grpc or http, got \"$protocol\"" ;;
  esac
}

# Makes the folder scratch; at the end, however it comes, it goes, and so do the process server and what is attended.
begin_clean_up() {
  server="" attended="" scratch=$(mktemp -d)
  trap clean_up EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
}

# Runs a command to its end, unless a signal to the script comes first: bash would let a command in the foreground finish.
attend() {
  local code=0
  "$@" &
  attended=$!
  wait "$attended" || code=$?
  attended=""
  return $code
}

# check_server WHEN: the process server must still run; where it does not, WHEN says when that was found out.
check_server() {
  kill -0 "$server" 2>/dev/null || { cat "$scratch/log" >&2; server=""; fail "the server ended $1"; }
}

# await_server SECONDS: waits until the process server, whose log is in scratch, is ready, for so long at most.
await_server() {
  local tries=0
  until grep -q 'server ready' "$scratch/log"; do
    check_server "before it was ready"
    tries=$((tries + 1))
    [ $tries -lt $((10 * $1)) ] || { cat "$scratch/log" >&2; fail "the server was not ready after $1 s"; }
    sleep 0.1
  done
}

# find_port LABEL: sets port, by the server's log, to that of the protocol which has this name there.
find_port() {
  port=$(sed -n "s/.*$1 listening on .*:\([0-9][0-9]*\).*/\1/p" "$scratch/log" | head -n 1)
  [ -n "$port" ] || { cat "$scratch/log" >&2; fail "the server did not tell its $1 port"; }
}

clean_up() {
  local code=$? process
  for process in $attended $(jobs -p); do end_process "$process"; done # also what was started just now
  rm -rf "$scratch"
  exit $code
}

# A process that does not end within 5 s of being asked is killed: a server may be in the midst of a batch of minutes.
end_process() {
  local tries=0
  kill -TERM "$1" 2>/dev/null || return 0
  while kill -0 "$1" 2>/dev/null && [ $tries -lt 50 ]; do
    sleep 0.1
    tries=$((tries + 1))
  done
  kill -KILL "$1" 2>/dev/null || true
  wait "$1" 2>/dev/null || true
}
