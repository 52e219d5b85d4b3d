#!/usr/bin/env bash
# run_squad.sh: the whole job in one step: export a checkpoint, serve it, ask every question of a SQuAD file, score.
#
# usage: scripts/run_squad.sh [CHECKPOINT] [BATCH_SIZE] [PRECISION] [USE_XLA] [SEQ_LENGTH] [DOC_STRIDE] [BERT_MODEL]
#          [SQUAD_VERSION] [MODEL_VERSION] [MODEL_NAME] [EXPORT] [DELAY_MS] [ENGINES] [OVERWRITE]
# An argument that is missing or "" takes its default:
#    1 CHECKPOINT     models/minilm-squad   folder, TensorFlow checkpoint prefix, or random:SEED
#    2 BATCH_SIZE     8        questions (windows) a request, and the model's max_batch_size
#    3 PRECISION      auto     auto (bf16 where the CPU multiplies bf16, else fp32) | fp32 | bf16 | int8 | fp16 (runs as bf16);
#                              with FORMAT onnx or savedmodel fp32, the default there, or bf16
#    4 USE_XLA        false    true | false; kept for its position, there is no XLA here
#    5 SEQ_LENGTH     384      tokens in a window
#    6 DOC_STRIDE     128      tokens between the starts of two windows
#    7 BERT_MODEL     embedded embedded | base | large | a folder with vocab.txt and bert_config.json
#    8 SQUAD_VERSION  1.1      1.1 | 2.0
#    9 MODEL_VERSION  1
#   10 MODEL_NAME     bert
#   11 EXPORT         false    true: write the model into the repository first
#   12 DELAY_MS       0        dynamic batching delay in milliseconds; 0 or -1: none (format bert still joins what waits)
#   13 ENGINES        1        execution instances of the model
#   14 OVERWRITE      False    true: EXPORT may replace that version of the model
# environment:
#   SQUAD_FILE         questions to ask (SQuAD JSON, may be .gz)    default: the embedded ones of that version
#   MODEL_REPOSITORY   where models are written and served from     default: out/model_repository of the project
#   OUTPUT_DIR         where predictions go                         default: out/predictions of the project
#   PROTOCOL           grpc | http                                  default: grpc
#   CONCURRENCY        requests in flight                           default: 20
#   FORMAT             bert | onnx | savedmodel, of the export      default: bert; the others need OpenVINO (make openvino)
#   INFERD             the program                                  default: build/inferd of the project
set -euo pipefail

root=$(cd "$(dirname "$(readlink -f "$0")")/.." && pwd)
inferd=${INFERD:-$root/build/inferd}

case ${1:-} in -h | --help) sed -n '2,/^set /p' "$0" | sed '$d; s/^# \{0,1\}//'; exit 0 ;; esac

program=run_squad
. "$root/scripts/recipe.bash"
# lower WORD: true/false in any case
boolean() {
  case ${2,,} in true | false) echo "${2,,}" ;; *) usage "$1 must be true or false, got \"$2\"" ;; esac
}
number() { [[ $2 =~ ^[0-9]+$ ]] || usage "$1 must be a whole number, got \"$2\""; }

[ $# -le 14 ] || usage "at most 14 arguments, got $#"
checkpoint=${1:-$root/models/minilm-squad} batch_size=${2:-8} precision=${3:-}
use_xla=$(boolean USE_XLA "${4:-false}")
seq_length=${5:-384} doc_stride=${6:-128} bert_model=${7:-embedded} squad_version=${8:-1.1}
model_version=${9:-1} model_name=${10:-bert}
export=$(boolean EXPORT "${11:-false}")
delay=${12:-0} engines=${13:-1}
overwrite=$(boolean OVERWRITE "${14:-False}")

number BATCH_SIZE "$batch_size"; number SEQ_LENGTH "$seq_length"; number DOC_STRIDE "$doc_stride"
number MODEL_VERSION "$model_version"; number ENGINES "$engines"
[[ $delay =~ ^(-1|[0-9]+(\.[0-9]+)?)$ ]] || usage "DELAY_MS must be a number of milliseconds, 0 or -1, got \"$delay\""
[ "$delay" != -1 ] || delay=0
choose_format
[ "$use_xla" = false ] || echo "run_squad: USE_XLA is true, but there is no XLA here: it has no effect"

choose_protocol

case $squad_version in
  1.1 | 2.0) data=${SQUAD_FILE:-$root/models/questions/questions-v$squad_version.json} ;;
  *) usage "SQUAD_VERSION must be 1.1 or 2.0, got \"$squad_version\"" ;;
esac
[ -r "$data" ] || fail "cannot read the questions, $data"
[ -x "$inferd" ] || fail "$inferd is not there: run make first"

model_files=()
case $bert_model in
  embedded) ;;
  base | large)
    [ -n "${1:-}" ] || usage "BERT_MODEL $bert_model needs a CHECKPOINT (or random:SEED)"
    model_files=(--bert-config "$root/models/bert-$bert_model/bert_config.json") ;;
  *)
    [ -r "$bert_model/vocab.txt" ] && [ -r "$bert_model/bert_config.json" ] ||
      usage "BERT_MODEL must be embedded, base, large or a folder with vocab.txt and bert_config.json, got \"$bert_model\""
    model_files=(--bert-config "$bert_model/bert_config.json" --vocab "$bert_model/vocab.txt") ;;
esac
vocabulary=()
[ ! -r "$bert_model/vocab.txt" ] || vocabulary=(--vocab "$bert_model/vocab.txt")

repository=${MODEL_REPOSITORY:-$root/out/model_repository}
output=${OUTPUT_DIR:-$root/out/predictions}

begin_clean_up

if [ "$export" = true ]; then
  [ "$overwrite" = true ] || [ ! -e "$repository/$model_name/$model_version" ] ||
    fail "$repository/$model_name/$model_version exists; give OVERWRITE true, argument 14, to replace it, or another MODEL_VERSION or MODEL_NAME"
  echo "== export: $checkpoint -> $repository/$model_name/$model_version"
  attend "$inferd" export --checkpoint "$checkpoint" --model-repository "$repository" --model "$model_name" \
    --model-version "$model_version" --format "$format" --precision "$precision" --max-seq-length "$seq_length" \
    --max-batch-size "$batch_size" --dynamic-batching-delay "$delay" --instances "$engines" \
    ${model_files[@]+"${model_files[@]}"} --overwrite="$overwrite"
elif [ ! -d "$repository/$model_name/$model_version" ]; then
  fail "there is no model $model_name version $model_version in $repository; give EXPORT true to write it"
elif [ -n "${1:-}${3:-}${12:-}${13:-}" ]; then
  echo "run_squad: EXPORT is false: the model is served as it was exported (CHECKPOINT, PRECISION, FORMAT, DELAY_MS and ENGINES have no effect)"
fi

# Only the asked version of the asked model is served, whatever else the repository holds; but a config that names versions needs all.
mkdir -p "$scratch/repository/$model_name"
needs_all=false
if grep -qs '^[^#]*\bspecific\b' "$repository/$model_name/config.pbtxt"; then needs_all=true; fi
for path in "$(readlink -f "$repository/$model_name")"/*; do
  name=${path##*/}
  if [[ $name =~ ^[0-9]+$ && $name != "$model_version" && $needs_all = false ]]; then continue; fi
  ln -s "$path" "$scratch/repository/$model_name/$name"
done

echo "== serve: $model_name"
: >"$scratch/log" # the server's shell makes it only when it gets to run
"$inferd" serve --model-repository "$scratch/repository" --http-address 127.0.0.1 --grpc-address 127.0.0.1 \
  --metrics-address 127.0.0.1 --http-port 0 --grpc-port 0 --metrics-port 0 --exit-on-error=true 2>"$scratch/log" &
server=$!
await_server 120
sed -n 's/^[^]]*\] "\(.*\)"/\1/p' "$scratch/log"
find_port "$label"

echo "== ask: $data over $protocol, $batch_size windows a request"
code=0
attend "$inferd" squad --url "127.0.0.1:$port" --protocol "$protocol" --model "$model_name" --model-version "$model_version" \
  --data "$data" --batch-size "$batch_size" --concurrency "${CONCURRENCY:-20}" --max-seq-length "$seq_length" \
  --doc-stride "$doc_stride" ${vocabulary[@]+"${vocabulary[@]}"} --output-dir "$output" >"$scratch/summary" || code=$?
cat "$scratch/summary"
[ $code = 0 ] || exit $code

kill -TERM "$server"
if ! wait "$server"; then server=""; cat "$scratch/log" >&2; fail "the server did not stop cleanly"; fi
server=""
echo "== done: predictions are in $output"
grep '^exact match: ' "$scratch/summary" | tail -n 1 | grep . || fail "no scores came out"
