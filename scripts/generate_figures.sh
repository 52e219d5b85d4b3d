#!/usr/bin/env bash
# generate_figures.sh: the recipe's measurements: how batch size, dynamic batching and instances change throughput and latency.
#
# usage: scripts/generate_figures.sh [--quick] [--latency-limit MS] [BERT_MODEL] [SEQ_LENGTH] [PRECISION] [INIT_CHECKPOINT]
# An argument that is missing or "" takes its default:
#    1 BERT_MODEL       embedded   embedded | base | large
#    2 SEQ_LENGTH       128        tokens of every question with its text
#    3 PRECISION        auto       auto (bf16 where the CPU multiplies bf16, else fp32) | fp32 | bf16 | int8 | fp16 (runs as bf16);
#                                  with FORMAT onnx or savedmodel fp32, the default there, or bf16
#    4 INIT_CHECKPOINT             folder, TensorFlow checkpoint prefix, or random:SEED; default: the embedded one; base and large have
#                                  random weights (random:1), which compute just as long
# options:
#   --quick              fewer loads, and windows of as many answers as the highest concurrency: minutes in place of an hour
#   --latency-limit MS   the report recommends a setting within this p99 latency; default: 200
# environment:
#   OUTPUT_DIR   where tables, pictures and report.html go     default: out/figures/BERT_MODEL-SEQ_LENGTH-PRECISION of the project
#   PROTOCOL     grpc | http                                    default: grpc
#   INTERVAL_MS  length of a measurement window, not --quick    default: 5000
#   PERF         the load generator, with perf_analyzer's flags default: the program's own, INFERD perf
#   INFERD       the program                                    default: build/inferd of the project
#   FORMAT       bert | onnx | savedmodel, of the export        default: bert; the others need OpenVINO (make openvino)
#
# Experiments, each a model exported and served anew:
#   static     batches of 1, 2, 4, 8 made by the client, concurrency to 64, 32, 16, 8
#   dynamic    delay of 10, 5, 2, 0 ms (0: none; format bert still joins what waits) for batches to 8 of single questions, concurrency 1 to 20
#   instances  4, 2, 1 instances without batching, concurrency 1 to 20
set -euo pipefail

root=$(cd "$(dirname "$(readlink -f "$0")")/.." && pwd)
inferd=${INFERD:-$root/build/inferd}

program=generate_figures
. "$root/scripts/recipe.bash"

quick=false latency_limit=200 words=()
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) sed -n '2,/^set /p' "$0" | sed '$d; s/^# \{0,1\}//'; exit 0 ;;
    --quick) quick=true ;;
    --latency-limit) [ $# -gt 1 ] || usage "--latency-limit needs a value"; latency_limit=$2; shift ;;
    --latency-limit=*) latency_limit=${1#*=} ;;
    --*) usage "unknown option $1" ;;
    *) words+=("$1") ;;
  esac
  shift
done
set -- ${words[@]+"${words[@]}"}

[ $# -le 4 ] || usage "at most 4 arguments, got $#"
bert_model=${1:-embedded} seq_length=${2:-128} precision=${3:-} checkpoint=${4:-}
[[ $seq_length =~ ^[0-9]+$ ]] && [ "$seq_length" -ge 3 ] || usage "SEQ_LENGTH must be a whole number from 3, got \"$seq_length\""
[[ $latency_limit =~ ^[0-9]+(\.[0-9]+)?$ ]] || usage "--latency-limit must be a number of milliseconds, got \"$latency_limit\""
choose_format
model_files=()
case $bert_model in
  embedded) checkpoint=${checkpoint:-$root/models/minilm-squad} ;;
  base | large)
    checkpoint=${checkpoint:-random:1}
    model_files=(--bert-config "$root/models/bert-$bert_model/bert_config.json") ;;
  *) usage "BERT_MODEL must be embedded, base or large, got \"$bert_model\"" ;;
esac
choose_protocol
interval=${INTERVAL_MS:-5000}
[[ $interval =~ ^[0-9]+$ ]] || usage "INTERVAL_MS must be a whole number, got \"$interval\""
[ -x "$inferd" ] || fail "$inferd is not there: run make first"
# Only our own generator tells whether it was the bottleneck.
if [ -n "${PERF:-}" ]; then read -r -a perf <<<"$PERF" && columns=--verbose-csv; else perf=("$inferd" perf) && columns=--full-csv; fi

output=${OUTPUT_DIR:-$root/out/figures/$bert_model-$seq_length-$precision}
mkdir -p "$output"
begin_clean_up

# Eight questions with text of the full length, of any tokens that the vocabulary has.
questions() {
  local config words
  for config in "${model_files[1]:-}" "$checkpoint/config.json" "$checkpoint/bert_config.json"; do
    if [ -r "$config" ]; then break; fi
  done
  words=$(sed -n 's/.*"vocab_size": *\([0-9][0-9]*\).*/\1/p' "$config" 2>/dev/null | head -n 1)
  awk -v n="$seq_length" -v words="${words:-30522}" 'BEGIN {
    srand(1); printf "{\"data\": ["
    for (q = 0; q < 8; q++) {
      ids = int(rand() * words); mask = 1; segments = 0
      for (i = 1; i < n; i++) {
        ids = ids ", " int(rand() * words); mask = mask ", 1"
        segments = segments ", " (i > 12 ? 1 : 0)
      }
      printf "%s{\"input_ids\": {\"content\": [%s], \"shape\": [%d]}, ", q ? ", " : "", ids, n
      printf "\"input_mask\": {\"content\": [%s], \"shape\": [%d]}, ", mask, n
      printf "\"segment_ids\": {\"content\": [%s], \"shape\": [%d]}}", segments, n
    }
    print "]}" }'
}

start_server() {
  : >"$scratch/log" # here, not when the child gets so far: what the server before said must not count
  "$inferd" serve --model-repository "$scratch/models" --http-address 127.0.0.1 --grpc-address 127.0.0.1 \
    --metrics-address 127.0.0.1 --http-port 0 --grpc-port 0 --metrics-port 0 --exit-on-error=true 2>>"$scratch/log" &
  server=$!
  local tries=0
  until grep -q 'server ready' "$scratch/log"; do
    kill -0 "$server" 2>/dev/null || { cat "$scratch/log" >&2; server=""; fail "the server ended before it was ready"; }
    tries=$((tries + 1))
    [ $tries -lt 3000 ] || { cat "$scratch/log" >&2; fail "the server was not ready after 300 s"; }
    sleep 0.1
  done
  port=$(sed -n "s/.*$label listening on .*:\([0-9][0-9]*\).*/\1/p" "$scratch/log" | head -n 1)
  [ -n "$port" ] || { cat "$scratch/log" >&2; fail "the server did not tell its $label port"; }
}

stop_server() {
  kill -TERM "$server"
  wait "$server" || { server=""; cat "$scratch/log" >&2; fail "the server did not stop cleanly"; }
  server=""
}

# measure SWEEP NAME LABEL SERVER_BATCH CLIENT_BATCH DELAY_MS INSTANCES START:END:STEP
measure() {
  local sweep=$1 name=$2 title=$3 server_batch=$4 batch=$5 delay=$6 instances=$7 range=$8 code=0
  local highest=${range#*:}
  highest=${highest%:*}
  # Measured is what was sent when all requests were in flight already: as many answers pass first.
  local windows=(--warmup-request-count "$highest" -s "$stability" -r "$trials")
  if $quick; then windows+=(--measurement-mode count_windows --measurement-request-count "$highest"); else windows+=(-p "$interval"); fi
  echo "== $sweep: $title, concurrency $range"
  rm -rf "$scratch/models"
  "$inferd" export --checkpoint "$checkpoint" --model-repository "$scratch/models" --model bert --format "$format" --precision "$precision" \
    --max-seq-length "$seq_length" --max-batch-size "$server_batch" --dynamic-batching-delay "$delay" \
    --instances "$instances" ${model_files[@]+"${model_files[@]}"} >"$scratch/export"
  start_server
  "${perf[@]}" -m bert -i "$protocol" -u "127.0.0.1:$port" -b "$batch" -a --concurrency-range "$range" "${windows[@]}" \
    --input-data "$scratch/questions.json" "$columns" -f "$output/$name.csv" \
    >"$output/$name.txt" 2>&1 || code=$?
  # 2: some point was not stable; it is measured all the same.
  if [ $code != 0 ] && { [ $code != 2 ] || [ ! -s "$output/$name.csv" ]; }; then
    tail -n 20 "$output/$name.txt" >&2
    fail "the load generator ended with exit code $code"
  fi
  stop_server
  echo "$name.csv,\"$title\",$sweep,BERT $bert_model,$seq_length,$precision,$server_batch,$batch,$delay,$instances,$label" >>"$output/runs.csv"
}

field() { sed -n "s/^$1[[:space:]]*: //p" /proc/cpuinfo | head -n 1; }
row() { printf '%s,"%s"\n' "$1" "${2//\"/\"\"}"; }
environment() {
  local memory
  memory=$(awk '/^MemTotal/ {printf "%.0f GiB", $2 / 1048576}' /proc/meminfo)
  echo "name,value"
  row machine "$(field 'model name'), $(nproc) cores, $memory; inferd $("$inferd" --version | sed -n 's/^inferd //p'), $label"
  row processor "$(field 'model name')"
  row cores "$(nproc)"
  row memory "$memory"
  row kernel "$(uname -sr)"
  "$inferd" --version | while IFS= read -r line; do row inferd "$line"; done
  row "load generator" "${PERF:-inferd perf}, on the same machine"
  if $quick; then row windows "of as many answers as the highest concurrency, $trials a point"
  else row windows "$interval ms each, up to $trials a point, stable within $stability %"; fi
  row model "BERT $bert_model from ${checkpoint#"$root"/}, format $format"
  row input "$seq_length tokens, none of them padding, $precision"
  row measured "$(date -u '+%Y-%m-%d %H:%M UTC')"
}

stability=10 trials=10
if $quick; then stability=50 trials=3; fi
questions >"$scratch/questions.json"
echo "file,label,sweep,model,max_seq_length,precision,max_batch_size,batch_size,delay_ms,instances,protocol" >"$output/runs.csv"
environment >"$output/environment.csv"

for batch in 1 2 4 8; do
  # The same outstanding questions for each: batch times concurrency.
  step=1
  if $quick; then step=$((16 / batch)); fi
  measure static "static-$batch" "static batch $batch" "$batch" "$batch" 0 1 "$step:$((64 / batch)):$step"
done
range=1:20:1
if $quick; then range=4:20:4; fi
for delay in 10 5 2 0; do
  title="delay $delay ms"
  [ "$delay" != 0 ] || [ "$format" = bert ] || title="no dynamic batching"
  measure dynamic "delay-$delay" "$title" 8 1 "$delay" 1 "$range"
done
for instances in 4 2 1; do
  title="$instances instances"
  [ "$instances" != 1 ] || title="1 instance"
  measure instances "instances-$instances" "$title" 1 1 0 "$instances" "$range"
done

echo "== draw"
"$inferd" figures --runs "$output/runs.csv" --environment "$output/environment.csv" --output-dir "$output" \
  --title "BERT $bert_model, $seq_length tokens, $precision" --report --latency-limit "$latency_limit" >"$scratch/pictures"
wc -l <"$scratch/pictures" | sed 's/^ */pictures: /'
echo "== done: $output/report.html"
