#!/usr/bin/env bash
# Plants the bugs of this folder one at a time in a copy of the repository below target/, runs the suite that each names,
# and says whether it was caught: tests/lab/planted/plant.sh [NN...]. Needs git, the Rust toolchain of the tests,
# and what ./test.sh has installed below target/.
# Ends with 0 if all were caught, 1 if one was not, 2 if a suite fails without any bug.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../../.." && pwd)
tree=$root/target/planted/tree
log=$root/target/planted/log
export CARGO_TARGET_DIR=$root/target/planted/build RUST_BACKTRACE=0 CARGO_TERM_COLOR=never
# So that git takes the copy for a plain folder.
export GIT_CEILING_DIRECTORIES=$root/target/planted
export TEST_PARTS=all
unset CALLSHEET_SEED CALLSHEET_SEEDS

copy() {
    rm -rf "$tree"
    mkdir -p "$tree" "$log"
    (cd "$root" && git ls-files -z --cached --others --exclude-standard |
        while IFS= read -r -d '' file; do if [[ -e $file ]]; then printf '%s\0' "$file"; fi; done |
        tar -c --null -T -) | tar -x -C "$tree"
    # What was built of an earlier bug is older than this.
    find "$tree" -name '*.rs' -exec touch {} +
    # A suite uses what ./test.sh installed, and fails if a part of it is not there: it would pass without having tried it.
    mkdir -p "$tree/target"
    for part in mail providers connectors collector document; do
        if [[ -e $root/target/$part ]]; then ln -s "$root/target/$part" "$tree/target/$part"; fi
    done
    # Dependencies that are built need not be built again.
    if [[ ! -d $CARGO_TARGET_DIR && -d $root/target/debug/.fingerprint ]]; then
        mkdir -p "$CARGO_TARGET_DIR/debug"
        cp -a --reflink=auto "$root/target/debug/"{deps,build,.fingerprint} "$CARGO_TARGET_DIR/debug/"
    fi
}

build() { # SUITE
    if [[ $1 == lab ]]; then
        (cd "$tree/tests/lab" && cargo test --quiet --no-run)
    elif [[ $1 == simulation || $1 == core\ * ]]; then
        (cd "$tree" && cargo test --quiet -p callsheet-core --test it --no-run)
    else
        (cd "$tree" && cargo test --quiet -p callsheet --test it --no-run)
    fi
}

it() { # PACKAGE, ARGUMENT OF ITS TEST BINARY...
    (cd "$tree" && timeout 1200 cargo test --quiet -p "$1" --test it -- "${@:2}")
}

# Runs a suite; the simulation in steps, so that an easy bug is told soon.
play() { # SUITE
    local seeds
    case $1 in
    lab) (cd "$tree/tests/lab" && timeout 3600 cargo test --quiet) ;;
    simulation)
        for seeds in 0..50 50..1000 1000..20000; do
            CALLSHEET_SEEDS=$seeds it callsheet-core --exact simulation::simulation || return 1
        done
        ;;
    core\ *) it callsheet-core "${1#core }" ;;
    *)
        # shellcheck disable=SC2086 # several filters
        it callsheet $1
        ;;
    esac
}

# The command that a failing simulation prints has to fail in the same way.
reproduces() { # LOG
    local seed
    seed=$(grep -om1 'CALLSHEET_SEED=[0-9]* cargo test .*' "$1") || return 1
    grep -o 'CALLSHEET_SEED=.*' "$1" | head -n 1 >"$1.again"
    ! (cd "$tree" && bash "$1.again") >"$1.replay" 2>&1 && grep -q "seed ${seed//[^0-9]/}" "$1.replay"
}

suite_of() { # PATCH
    sed -n 's/^suite: //p' "$1" | head -n 1
}

patches=()
if (($#)); then
    for number; do patches+=("$here/$number"-*.patch); done
else
    patches=("$here"/*.patch)
fi
copy

declare -A sound
for patch in "${patches[@]}"; do
    suite=$(suite_of "$patch")
    if [[ -n ${sound[$suite]:-} ]]; then continue; fi
    echo "without a bug: $suite"
    if ! { build "$suite" && play "$suite"; } >"$log/none.log" 2>&1; then
        echo "plant.sh: the suite '$suite' fails without any bug, see $log/none.log" >&2
        exit 2
    fi
    sound[$suite]=yes
done

table=()
missed=0
for patch in "${patches[@]}"; do
    name=$(basename "$patch" .patch) suite=$(suite_of "$patch") seeds=-
    out=$log/$name.log
    (cd "$tree" && git apply "$patch")
    began=$SECONDS
    if ! build "$suite" >"$out" 2>&1; then
        verdict="DOES NOT BUILD"
    elif play "$suite" >"$out" 2>&1; then
        verdict=MISSED
    elif [[ $suite != simulation ]]; then
        verdict=caught
    elif reproduces "$out"; then
        verdict=caught
        seeds=$(($(sed -n 's/.*CALLSHEET_SEED=\([0-9]*\).*/\1/p' "$out" | head -n 1) + 1))
    else
        verdict="NOT REPRODUCED"
    fi
    (cd "$tree" && git apply -R "$patch")
    if [[ $verdict != caught ]]; then missed=1; fi
    table+=("$(printf '%-32s %-36s %-15s %8s seeds %5s s' "$name" "$suite" "$verdict" "$seeds" "$((SECONDS - began))")")
    echo "${table[-1]}"
done
printf '\n%s of %s caught\n' "$(printf '%s\n' "${table[@]}" | grep -c ' caught ')" "${#patches[@]}"
printf '%s\n' "${table[@]}"
exit "$missed"
