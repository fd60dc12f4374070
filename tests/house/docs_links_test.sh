#!/usr/bin/env bash
# Every relative link in a Markdown file leads to a file that is there, and its #anchor to a heading of that file.
set -euo pipefail
cd "$(dirname "$0")/../.."
export LC_ALL=C.UTF-8

# The anchors a page offers: its headings in lower case, without punctuation, blanks as hyphens.
anchors_of() { sed -nE 's/^#{1,6} +//p' "$1" | tr '[:upper:]' '[:lower:]' | sed -E 's/[^[:alnum:] _-]//g; s/ /-/g'; }

links=0
broken=0
while IFS=: read -r page line link; do
  link=${link#"]("}
  link=${link%")"}
  if [[ $link == *://* ]]; then continue; fi
  links=$((links + 1))
  target=$page
  if [[ $link != \#* ]]; then target=$(dirname "$page")/${link%%#*}; fi
  if [[ ! -e $target ]]; then
    echo "$page:$line: no such file: $link"
    broken=$((broken + 1))
  elif [[ $link == *#* ]] && ! anchors_of "$target" | grep -qxF -- "${link#*#}"; then
    echo "$page:$line: no such heading: $link"
    broken=$((broken + 1))
  fi
done < <(find . -name '*.md' -not -path './build/*' -not -path '*/node_modules/*' -print0 | xargs -0 grep -noE '\]\([^)]+\)')

echo "$links links, $broken broken"
((links > 0 && broken == 0))
