#!/bin/sh
# Makes the sample PDFs from src/*.ms. Debian packages: groff, ghostscript
# (keeps only the letters used of each font), fonts-urw-base35, and
# poppler-utils to check. The same sources give the same text;
# the bytes may differ from one version of groff to another, so the PDFs are
# kept in the repository and nothing runs this at build time.
set -eu
cd "$(dirname "$0")"
SOURCE_DATE_EPOCH=1795132800 # 20 November 2026, for a fixed creation date
export SOURCE_DATE_EPOCH
for source in src/*.ms; do
	name=$(basename "$source" .ms)
	# Hours and French punctuation never break at the end of a line.
	cat src/entete.mac "$source" |
		sed -e 's/ h \([0-9]\)/\\~h\\~\1/g' -e 's/ \([;:»]\)/\\~\1/g' -e 's/« /«\\~/g' |
		groff -Tpdf -k -ms -dpaper=a4 -P-pa4 -P-e |
		gs -q -dNOPAUSE -dBATCH -dSAFER -sDEVICE=pdfwrite -dSubsetFonts=true \
			-dOmitXMP=true -sOutputFile="$name.pdf.new" -
	pages=$(pdfinfo "$name.pdf.new" | sed -n 's/^Pages: *//p')
	test "$pages" = 1 || { echo "$name: $pages pages, one expected" >&2; exit 1; }
	pdftotext "$name.pdf.new" - | grep -q 'DÉMONSTRATION — DONNÉES FICTIVES'
	mv "$name.pdf.new" "$name.pdf"
done
