#!/bin/sh
# Are the tests able to fail? tests/faults.sh [NN]...
#
# Each patch in tests/faults/ breaks one promise of the gateway and names the test that has to see
# it. The patches are applied one after the other to a copy of the sources, and each has to turn its
# test red. Before that all these tests have to pass there unpatched. NN chooses patches by number.
#
# A patch begins with two lines, `Fault: what is broken` and `Test: binary name::of::the::test`.
#
# Dependencies are shared with the usual target folder. The package itself is compiled without debug
# information, which is quicker and gives it file names of its own: a usual build neither sees the
# broken ones nor has anything to compile anew.
set -eu
cd "$(dirname "$0")/.."

fail() {
    echo "faults.sh: $*" >&2
    exit 1
}

root=$PWD
shared=${CARGO_TARGET_DIR:-$root/target}
mkdir -p "$shared/faults"
shared=$(cd "$shared" && pwd)
faults=$shared/faults
tree=$faults/tree
log=$faults/log
unset CARGO_TARGET_DIR

patches=
[ $# -gt 0 ] || set -- ''
for number; do
    found=
    for patch in tests/faults/"$number"*.patch; do
        [ ! -e "$patch" ] || found="$found $patch"
    done
    [ -n "$found" ] || fail "there is no tests/faults/$number*.patch"
    patches="$patches$found"
done

# The value of a line in a patch's head.
head_of() {
    value=$(sed -n "/^--- /q; s/^$1: //p" "$2")
    [ -n "$value" ] || fail "$2 has no line \"$1: ...\" in its head"
    printf '%s\n' "$value"
}

# cargo test in the copy; the first argument is the time it has, in seconds.
tests() {
    seconds=$1
    shift
    (cd "$tree" && CARGO_BUILD_BUILD_DIR=$shared CARGO_TARGET_DIR=$faults/target \
        timeout "$seconds" cargo test --quiet --locked \
        --config profile.dev.package.tidegate.debug=false "$@") >"$log" 2>"$log.errors"
}

# Builds test binaries.
build() {
    options=
    for binary; do options="$options --test $binary"; done
    # shellcheck disable=SC2086 # two words for each binary
    tests 3600 $options --no-run
}

# Runs one test of a binary. One that is not done in three minutes has not failed but hung.
run() {
    tests 180 --test "$1" -- --exact "$2"
}

# The end of the last command's output, and the end of this script.
give_up() {
    tail -n 20 "$log.errors" >&2
    tail -n 60 "$log" >&2
    fail "$*"
}

# All files that git knows or would add. They are of now, so that cargo compiles what was last
# compiled from a patched copy.
rm -rf "$tree"
mkdir -p "$tree"
git -c core.quotePath=off ls-files --cached --others --exclude-standard | while read -r file; do
    [ ! -e "$file" ] || echo "$file"
done | tar -cf - -T - | tar -xmf - -C "$tree"
# What test.sh installs, and the tests look for beside the manifest.
mkdir "$tree/target"
for installed in venv node clients; do
    [ ! -e "$root/target/$installed" ] || ln -s "$root/target/$installed" "$tree/target/$installed"
done

# The patches are for the copy, not for the repository it lies in.
export GIT_CEILING_DIRECTORIES="$faults"
apply() {
    (cd "$tree" && git apply "$@")
}

named=$(for patch in $patches; do head_of Test "$patch"; done)
named=$(echo "$named" | sort -u)
echo "unpatched: $(echo "$named" | wc -l) tests"
# shellcheck disable=SC2046 # one word for each binary
build $(echo "$named" | cut -d ' ' -f 1 | sort -u) || give_up "the unpatched sources do not build"
echo "$named" | while read -r binary test; do
    run "$binary" "$test" </dev/null || give_up "unpatched, $binary $test does not pass"
    grep -q '^test result: ok. 1 passed' "$log" || give_up "$binary has no test $test"
done

green=0
for patch in $patches; do
    fault=$(head_of Fault "$patch")
    named=$(head_of Test "$patch")
    binary=${named%% *}
    test=${named#* }
    begun=$(date +%s)
    apply "$root/$patch" || fail "$patch does not apply"
    build "$binary" || give_up "with $patch nothing builds"
    status=0
    run "$binary" "$test" || status=$?
    # Failed by its own word: cargo's errors, a crash and the end of the time are something else.
    if [ "$status" -eq 0 ]; then
        colour=GREEN
        green=$((green + 1))
    elif [ "$status" -eq 101 ] && grep -q '^test result: FAILED. 0 passed; 1 failed' "$log"; then
        colour=red
    else
        give_up "with $patch, $named did not fail but ended with status $status"
    fi
    apply --reverse "$root/$patch"
    printf '%-6s %4ss  %s\n              -> %s\n' \
        "$colour" "$(($(date +%s) - begun))" "$(basename "$patch" .patch): $fault" "$named"
done
[ "$green" -eq 0 ] || fail "$green faults are seen by nobody"
