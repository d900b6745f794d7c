#!/usr/bin/env bash
# Records a newcomer's way from the first start to an exported file, as numbered frames of text: what
# the screen shows, the key that was pressed, and the time since the start. Every key is one that the
# screen names; after each key it waits for what must appear, never for time alone.
#
#   tests/tour/record.sh target/release/hawqeye assets/tour.txt ["a remark"]
#
# Needs tmux. The project goes to a folder of its own, which is removed first.
set -euo pipefail

program=$(realpath "${1:?usage: record.sh PROGRAM FILE}")
file=${2:?usage: record.sh PROGRAM FILE}
remark=${3:-}
columns=120 rows=40
home=/tmp/hawqeye-tour
patience=600

tm() { tmux -L hawqeye-tour -f /dev/null "$@"; }
screen() { tm capture-pane -p -t tour; }
trap 'tm kill-server 2>/dev/null || true' EXIT

now() { date +%s%N; }
since() {
    local s=$((($(now) - start) / 1000000000))
    printf '%d:%02d' $((s / 60)) $((s % 60))
}

# Waits until the screen shows a pattern (extended regular expression).
await() {
    local end=$((SECONDS + patience))
    until screen | grep -Eq "$1"; do
        if ((SECONDS > end)); then
            echo "waited in vain for: $1" >&2
            screen >&2
            exit 1
        fi
        sleep 0.1 # between two looks
    done
}

number=0
# Writes the screen down: what happened, and what was waited for.
frame() {
    number=$((number + 1))
    printf '%s\n' "---- $number. $1, at $(since) " | sed -E ":a; s/^.{1,$((columns - 1))}$/&-/; ta" >>"$file"
    screen | sed -E 's/[[:space:]]+$//' >>"$file"
    printf '\n' >>"$file"
    echo "$number. $1, at $(since)" >&2
}

# Presses keys, waits for a pattern, and writes the screen down.
step() {
    local what=$1 pattern=$2
    shift 2
    tm send-keys -t tour "$@"
    await "$pattern"
    frame "$what"
}

rm -rf "$home"
: >"$file"
{
    echo "From the first start to an exported file, in $columns columns and $rows rows: what the screen shows, the key"
    echo "that was pressed before, and the time since the start. Recorded by tests/tour/record.sh."
    [[ -z $remark ]] || echo "$remark"
    echo
} >>"$file"

start=$(now)
tm -u new-session -d -s tour -x "$columns" -y "$rows" \
    "env HAWQEYE_HOME=$home LC_ALL=C.UTF-8 $program"
tm set -g status off
await 'test images'
frame 'hawqeye was started; the network is tested'
step 'enter: the analysis goes on' '([5-9]|1[0-9]) of 20 layers' Enter
await 'goes on to choosing bits'
frame 'nothing pressed; every layer is measured'
step 'enter: the table of bits' 'Enter chooses bits' Enter
step 'enter: which budget?' 'reachable' Enter
step '1 0 x, then tab until activations are at 4 bits' 'compression: 10x' 1 0 x
until screen | grep -Eq 'activation bits: 4'; do
    before=$(screen)
    tm send-keys -t tour Tab
    until [[ $(screen) != "$before" ]]; do sleep 0.1; done
done
frame 'tab, until it says 4'
tm send-keys -t tour Enter
await 'W-comp +10'
await 'accuracy +[0-9.]+ %'
frame 'enter: bits were chosen, and their accuracy without training is measured'
step 'enter: fine-tuning' 'Enter trains' Enter
step 'enter: it trains' 'step 1[0-9] of' Enter
await 'goes on to the export'
frame 'nothing pressed; the network is trained'
step 'enter: the export' 'Enter writes' Enter
step 'enter: the file is written, read back and compared' 'verified' Enter
tm send-keys -t tour q
until ! tm has-session -t tour 2>/dev/null; do sleep 0.1; done
echo "left with q, at $(since)" >>"$file"
du -b "$home"/projects/*/exports/* | sed "s|$home/||; s/^/bytes on disk: /" >>"$file"
