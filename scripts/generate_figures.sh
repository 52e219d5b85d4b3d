#!/usr/bin/env bash
# generate_figures.sh: the recipe's measurements: how batch size, dynamic batching and instances change throughput and latency.
#
# usage: scripts/generate_figures.sh [--quick] [--restart] [--latency-limit MS] [BERT_MODEL] [SEQ_LENGTH] [PRECISION] [INIT_CHECKPOINT]
# An argument that is missing or "" takes its default:
#    1 BERT_MODEL       embedded   embedded | base | large
#    2 SEQ_LENGTH       128        tokens of every question with its text
#    3 PRECISION        fp32       fp32 | bf16 | int8 | auto (bf16 where the CPU multiplies bf16, else fp32) | fp16 (runs as bf16);
#                                  with FORMAT onnx or savedmodel fp32 or bf16
#    4 INIT_CHECKPOINT             folder, TensorFlow checkpoint prefix, or random:SEED; default: the embedded one; base and large have
#                                  random weights (random:1), which compute just as long
# options:
#   --quick              fewer loads, and windows of as many answers as the concurrency: minutes in place of hours. How few is chosen by
#                        the time that one question takes, so that all of it takes about 8 minutes, if two loads a setting can
#   --restart            measure anew what an interrupted run with the same settings has left; without it that is kept and completed
#   --latency-limit MS   the report recommends a setting within this p99 latency; default: 200
# environment:
#   OUTPUT_DIR   where tables, pictures and report.html go     default: out/figures/BERT_MODEL-SEQ_LENGTH-PRECISION of the project
#   PROTOCOL     grpc | http                                    default: grpc
#   INTERVAL_MS  shortest measurement window, not --quick       default: 5000
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

# number_of KEY FILE: a number of a config; nothing where it has none.
number_of() { sed -n "s/.*\"$1\" *: *\([0-9][0-9]*\).*/\1/p" "$2" | head -n 1; }

# Sets config, the checkpoint's; refuses what could not be exported before anything that was measured is given up for it.
check_checkpoint() {
  local longest
  [ -e "$checkpoint" ] || [ -e "$checkpoint.index" ] || [[ $checkpoint == random:* ]] ||
    usage "INIT_CHECKPOINT: there is neither $checkpoint nor $checkpoint.index"
  for config in "${model_files[1]:-}" "$checkpoint/config.json" "$checkpoint/bert_config.json" "$(dirname "$checkpoint")/bert_config.json"; do
    if [ -r "$config" ]; then break; fi
  done
  [ -r "$config" ] || usage "INIT_CHECKPOINT: no config.json or bert_config.json belongs to $checkpoint"
  longest=$(number_of max_position_embeddings "$config")
  [ "$seq_length" -le "${longest:-$seq_length}" ] || usage "SEQ_LENGTH must be at most the model's $longest, got $seq_length"
}

quick=false restart=false latency_limit=200 words=()
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) sed -n '2,/^set /p' "$0" | sed '$d; s/^# \{0,1\}//'; exit 0 ;;
    --quick) quick=true ;;
    --restart) restart=true ;;
    --latency-limit) [ $# -gt 1 ] || usage "--latency-limit needs a value"; latency_limit=$2; shift ;;
    --latency-limit=*) latency_limit=${1#*=} ;;
    --*) usage "unknown option $1" ;;
    *) words+=("$1") ;;
  esac
  shift
done
set -- ${words[@]+"${words[@]}"}

[ $# -le 4 ] || usage "at most 4 arguments, got $#"
bert_model=${1:-embedded} seq_length=${2:-128} precision=${3:-fp32} checkpoint=${4:-}
[[ $seq_length =~ ^([3-9]|[1-9][0-9]{1,5})$ ]] || usage "SEQ_LENGTH must be a whole number from 3, got \"$seq_length\""
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
check_checkpoint
# Only our own generator tells whether it was the bottleneck.
if [ -n "${PERF:-}" ]; then read -r -a perf <<<"$PERF" && columns=--verbose-csv; else perf=("$inferd" perf) && columns=--full-csv; fi

output=${OUTPUT_DIR:-$root/out/figures/$bert_model-$seq_length-$precision}
mkdir -p "$output"
begin_clean_up
# A trap also runs while bash expands a command, and fails there if a command substitution is next: so commands that signals are likely to
# meet have one at most, and what can do without returns its result in a variable.
exec {told}>&2
trap 'interrupted 129' HUP
trap 'interrupted 130' INT
trap 'interrupted 143' TERM

# To stderr as it was at first: a signal may come while that of a command or a function is another.
interrupted() {
  echo "$program: interrupted: the points measured so far are kept in $output; the same command measures the rest" >&"$told"
  exit "$1"
}

# Eight questions with text of the full length, of any tokens that the vocabulary has.
questions() {
  local words
  words=$(number_of vocab_size "$config")
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

# serve NAME SERVER_BATCH DELAY_MS INSTANCES: exports the model with these settings and starts a server with it.
serve() {
  rm -rf "$scratch/models"
  attend "$inferd" export --checkpoint "$checkpoint" --model-repository "$scratch/models" --model bert --format "$format" \
    --precision "$precision" --max-seq-length "$seq_length" --max-batch-size "$2" --dynamic-batching-delay "$3" --instances "$4" \
    ${model_files[@]+"${model_files[@]}"} >"$scratch/export"
  : >"$scratch/log" # here, not when the child gets so far: what the server before said must not count
  "$inferd" serve --model-repository "$scratch/models" --http-address 127.0.0.1 --grpc-address 127.0.0.1 \
    --metrics-address 127.0.0.1 --http-port 0 --grpc-port 0 --metrics-port 0 --exit-on-error=true --exit-timeout-secs 3600 \
    2>>"$scratch/log" &
  server=$!
  await_server 300
  find_port "$label"
}

stop_server() {
  check_server "after it was measured"
  kill -TERM "$server"
  wait "$server" || { server=""; cat "$scratch/log" >&2; fail "the server did not stop cleanly"; }
  server=""
}

# ask CSV TEXT BATCH CONCURRENCY [FLAG...]: one point, measured by the generator.
ask() {
  local csv=$1 text=$2 batch=$3 load=$4 code=0
  shift 4
  rm -f "$csv"
  attend "${perf[@]}" -m bert -i "$protocol" -u "127.0.0.1:$port" -b "$batch" -a --concurrency-range "$load:$load:1" \
    --input-data "$scratch/questions.json" "$columns" -f "$csv" "$@" >"$text" 2>&1 || code=$?
  check_server "while it was measured at concurrency $load"
  # 2: the windows did not agree. Ours measures such a point all the same, and the table says so; perf_analyzer tells nothing of it.
  case $code in
    0 | 2) ;;
    *) sleep 1 # a server that dies closes its connections before it is gone
      check_server "while it was measured at concurrency $load"
      tail -n 20 "$text" >&2; fail "the load generator ended with exit code $code" ;;
  esac
}

# ---- the plan: a line an experiment, SWEEP|NAME|LABEL|SERVER_BATCH|CLIENT_BATCH|DELAY_MS|INSTANCES|LOADS ----

# Static batches are compared at equally many outstanding questions, batch times concurrency.
plan() {
  local outstanding=$1 concurrency=$2 batch delay instances title loads o
  for batch in 1 2 4 8; do
    loads=
    for o in $outstanding; do
      if [ $((o % batch)) = 0 ]; then loads+="$((o / batch)) "; fi
    done
    echo "static|static-$batch|static batch $batch|$batch|$batch|0|1|$loads"
  done
  for delay in 10 5 2 0; do
    title="delay $delay ms"
    [ "$delay" != 0 ] || [ "$format" = bert ] || title="no dynamic batching"
    echo "dynamic|delay-$delay|$title|8|1|$delay|1|$concurrency"
  done
  for instances in 4 2 1; do
    title="$instances instances"
    [ "$instances" != 1 ] || title="1 instance"
    echo "instances|instances-$instances|$title|1|1|0|$instances|$concurrency"
  done
}

# What --quick measures, from the finest to the coarsest; loads between multiples of the preferred batch sizes (4 and 8) are among it.
choose_level() {
  case $1 in
    0) experiments=$(plan "$(seq -s ' ' 64)" "$(seq -s ' ' 20)") trials=10 ;;
    1) experiments=$(plan "8 16 32 48 64" "1 2 4 6 8 10 12 16 20") trials=3 ;;
    2) experiments=$(plan "8 16 32" "2 4 6 8 16") trials=3 ;;
    3) experiments=$(plan "8 16" "2 4 8") trials=1 ;;
  esac
  level=$1
  # perf_analyzer needs three windows to tell anything.
  if [ -n "${PERF:-}" ] && [ $trials -lt 3 ]; then trials=3; fi
}

# Sets window_ms: the milliseconds of a window at so many outstanding questions: each is answered twice at least.
time_window() {
  window_ms=$(($1 * question_us / 500))
  window_ms=$((window_ms > interval ? window_ms : interval))
}

# Sets point_ms: the milliseconds that a point takes, with its first answers, which are not measured, and so many windows.
time_point() {
  local outstanding=$(($1 * $2)) windows=$3 round
  round=$((outstanding * question_us / 1000))
  if $quick; then window_ms=$round; else time_window "$outstanding"; fi
  point_ms=$((round + windows * window_ms + 200))
}

# The milliseconds of all that is not measured yet, with so many windows a point; counts its points too.
estimate() {
  local sweep name title server_batch batch delay instances loads load missing
  points=0 estimate_ms=0
  while IFS='|' read -r sweep name title server_batch batch delay instances loads; do
    missing=false
    for load in $loads; do
      [ ! -s "$output/points/$name-$load.csv" ] || continue
      time_point "$batch" "$load" "$1"
      missing=true points=$((points + 1)) estimate_ms=$((estimate_ms + point_ms))
    done
    if $missing; then estimate_ms=$((estimate_ms + setup_ms)); fi
  done <<<"$experiments"
}

# Sets duration: so many milliseconds in words.
tell_duration() {
  local seconds=$((($1 + 500) / 1000))
  if [ $seconds -lt 100 ]; then duration="$seconds s"
  elif [ $seconds -lt 6000 ]; then duration="$(((seconds + 30) / 60)) min"
  else duration="$((seconds / 3600)) h $((seconds % 3600 / 60)) min"; fi
}

# Sets now_ms.
read_clock() { now_ms=$((${EPOCHREALTIME/[.,]/} / 1000)); }

# How long it takes to serve a model and to answer a question.
probe() {
  local from
  echo "== probe: how long one question takes"
  read_clock
  from=$now_ms
  serve 1 1 0 1
  read_clock
  setup_ms=$((now_ms - from + 500))
  ask "$scratch/probe.csv" "$scratch/probe.txt" 1 1 --warmup-request-count 1 -s 1000 -r 3 \
    --measurement-mode count_windows --measurement-request-count 2
  stop_server
  question_us=$(point_value "$scratch/probe.csv" "Avg latency")
  question_us=$((${question_us%.*} > 0 ? ${question_us%.*} : 1))
}

# point_value CSV COLUMN: of its first row.
point_value() {
  awk -F, -v name="$2" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) column = i } NR == 2 && column { print $column }' "$1"
}

# ---- measuring ----

# measure BATCH LOAD NAME: one point, into its file.
measure() {
  local batch=$1 load=$2 name=$3 windows
  # Measured is what was sent when all requests were in flight already: as many answers pass first.
  windows=(--warmup-request-count "$load" -s "$stability" -r "$trials")
  if $quick; then windows+=(--measurement-mode count_windows --measurement-request-count "$load")
  else time_window $((batch * load)) && windows+=(-p "$window_ms"); fi
  ask "$scratch/point.csv" "$scratch/point.txt" "$batch" "$load" "${windows[@]}"
  cat "$scratch/point.txt" >>"$output/$name.txt"
  [ ! -s "$scratch/point.csv" ] || mv "$scratch/point.csv" "$output/points/$name-$load.csv"
}

# The table of an experiment, of the points that there are; and the experiment in the list, once.
collect() {
  local sweep=$1 name=$2 title=$3 server_batch=$4 batch=$5 delay=$6 instances=$7 loads=$8 load first=true
  for load in $loads; do
    [ -s "$output/points/$name-$load.csv" ] || continue
    if $first; then cat "$output/points/$name-$load.csv"; else tail -n +2 "$output/points/$name-$load.csv"; fi
    first=false
  done >"$scratch/table.csv"
  if $first; then return; fi # no point yet
  mv "$scratch/table.csv" "$output/$name.csv"
  grep -q "^$name.csv," "$output/runs.csv" ||
    echo "$name.csv,\"$title\",$sweep,BERT $bert_model,$seq_length,$precision,$server_batch,$batch,$delay,$instances,$label" >>"$output/runs.csv"
}

# A line a point: what came out, and how long the rest takes by what the points so far took.
tell_progress() {
  local load=$1 csv=$2 left throughput latency_us
  if [ ! -s "$csv" ]; then
    printf '   concurrency %-3s not stable, left out\n' "$load"
    return
  fi
  throughput=$(point_value "$csv" "Inferences/Second")
  latency_us=$(point_value "$csv" "Avg latency")
  read_clock
  left=$(((total_ms - done_ms) * (now_ms - started_ms) / (done_ms > 0 ? done_ms : 1)))
  tell_duration $left
  printf '   concurrency %-3s %9.2f inferences/s, %9.1f ms;  %s of %s points, about %s left\n' "$load" "$throughput" "${latency_us}e-3" \
    "$measured" "$points" "$duration"
}

run_experiment() {
  local sweep=$1 name=$2 title=$3 server_batch=$4 batch=$5 delay=$6 instances=$7 loads=$8 load
  for load in $loads; do
    [ ! -s "$output/points/$name-$load.csv" ] || continue
    if [ -z "$server" ]; then
      echo "== $sweep: $title"
      serve "$name" "$server_batch" "$delay" "$instances"
      done_ms=$((done_ms + setup_ms))
    fi
    measure "$batch" "$load" "$name"
    collect "$@"
    time_point "$batch" "$load" "$windows_expected"
    measured=$((measured + 1)) done_ms=$((done_ms + point_ms))
    tell_progress "$load" "$output/points/$name-$load.csv"
  done
  [ -z "$server" ] || stop_server
  collect "$@"
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
  if $quick; then row windows "of as many answers as the concurrency, $trials a point (--quick)"
  else row windows "$interval ms or longer, up to $trials a point, stable within $stability %"; fi
  row model "BERT $bert_model from ${checkpoint#"$root"/}, format $format"
  row input "$seq_length tokens, none of them padding, $precision"
  row measured "$(cat "$output/points/begun"; [ -z "$resumed" ] || echo "; interrupted, completed $(date -u '+%Y-%m-%d %H:%M UTC')")"
}

# What must be the same for a run to complete another.
settings() {
  echo "$bert_model $seq_length $precision $checkpoint $format $protocol $interval $quick ${PERF:-}"
  "$inferd" --version
  cksum <"$inferd"
}

# Sets level, and resumed where points of an interrupted run are there to be kept.
begin_or_resume() {
  resumed="" level=""
  settings >"$scratch/settings"
  if ! $restart && [ -s "$output/points/level" ] && cmp -s "$scratch/settings" "$output/points/settings"; then
    resumed=$(find "$output/points" -name '*.csv' | wc -l)
    level=$(cat "$output/points/level")
    echo "== resume: $((resumed)) points of $(cat "$output/points/begun") are kept (--restart measures anew)"
    return
  fi
  [ ! -d "$output/points" ] || echo "== restart: the points in $output/points are given up"
  rm -rf "$output/points"
  mkdir "$output/points"
  cp "$scratch/settings" "$output/points/settings"
  date -u '+%Y-%m-%d %H:%M UTC' >"$output/points/begun"
}

# ---- the story ----

stability=10
if $quick; then stability=50; fi
# perf_analyzer leaves out what it calls unstable, which short windows mostly are.
if $quick && [ -n "${PERF:-}" ]; then stability=1000; fi
begin_or_resume
questions >"$scratch/questions.json"
probe
for wanted in ${level:-$(if $quick; then echo 1 2 3; else echo 0; fi)}; do
  choose_level "$wanted"
  estimate "$trials"
  [ "$estimate_ms" -gt 480000 ] || break
done
echo "$level" >"$output/points/level"
echo "file,label,sweep,model,max_seq_length,precision,max_batch_size,batch_size,delay_ms,instances,protocol" >"$output/runs.csv"
tell_duration "$estimate_ms"
longest=$duration windows_expected=$((trials < 3 ? trials : 3))
estimate "$windows_expected"
tell_duration "$estimate_ms"
if [ "$trials" -gt 3 ]; then duration+=" if every point is stable at once, at most $longest"; fi
echo "== plan: $points points, about $duration"
environment >"$output/environment.csv"

read_clock
started_ms=$now_ms total_ms=$((estimate_ms > 0 ? estimate_ms : 1)) done_ms=0 measured=0
while IFS='|' read -r sweep name title server_batch batch delay instances loads; do
  [ -n "$resumed" ] || : >"$output/$name.txt"
  run_experiment "$sweep" "$name" "$title" "$server_batch" "$batch" "$delay" "$instances" "$loads"
done <<<"$experiments"

echo "== draw"
"$inferd" figures --runs "$output/runs.csv" --environment "$output/environment.csv" --output-dir "$output" \
  --title "BERT $bert_model, $seq_length tokens, $precision" --report --latency-limit "$latency_limit" >"$scratch/pictures"
wc -l <"$scratch/pictures" | sed 's/^ */pictures: /'
rm -r "$output/points"
read_clock
tell_duration $((now_ms - started_ms))
echo "== done after $duration: $output/report.html"
