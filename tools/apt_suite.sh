#!/usr/bin/env bash
# To be sourced. apt_suite SUITES FOLDER: sets `apt_options` so that apt-get and apt-cache see the Debian suites named, from the machine's own
# package source, and nothing else. Lists and archives are kept in FOLDER; the machine's own lists stay as they are.
apt_suite() {
  local suites=$1 folder=$2 base line name
  mkdir -p "$folder"/{parts,lists/partial,cache/archives/partial}
  name=${suites%% *}
  base=$(grep -lE '^Suites:.*bookworm( |$)' /etc/apt/sources.list.d/*.sources 2>/dev/null | head -n 1 || true)
  if [ -n "$base" ]; then
    # The first stanza that names the distribution, with other suites.
    awk 'BEGIN { RS = ""; ORS = "\n\n" } /Suites: bookworm/ { print; exit }' "$base" |
      sed "s/^Suites:.*/Suites: $suites/" >"$folder/parts/$name.sources"
  else
    line=$(grep -hE '^deb .* bookworm main' /etc/apt/sources.list | head -n 1 || true)
    if [ -z "$line" ]; then
      echo "Cannot find the machine's package source for Debian 12 (bookworm) in /etc/apt" >&2
      return 1
    fi
    for suite in $suites; do echo "$line" | sed "s/ bookworm main.*/ $suite main/"; done >"$folder/parts/$name.list"
  fi
  # shellcheck disable=SC2034 # for whoever sources this
  apt_options=(-o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$folder/parts" -o "Dir::State::lists=$folder/lists" -o "Dir::Cache=$folder/cache")
}
