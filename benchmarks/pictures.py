#!/usr/bin/env python3
"""Draw attention patterns beside the selectors found for them: pictures.py RESULT.json FOLDER NAME [FROM TO]

RESULT.json is what `ventris decipher --out` wrote for a trained transformer. For every head whose selector was looked for,
FOLDER/NAME-HEAD.svg shows one short sequence: the head's weights on the left, those of the selector on the right, a row per query,
a column per key, darkest where the weight is the greatest of its row. FROM and TO cut the sequence. Needs Python 3 alone.
"""
import html
import json
import sys

CELL, LEFT, TOP, GAP = 22, 64, 70, 40


def grid(x, rows, tokens, title):
    n = len(rows)
    parts = [f'<text x="{x + n * CELL / 2}" y="16" text-anchor="middle" font-weight="bold">{html.escape(title)}</text>']
    for key, token in enumerate(tokens):
        at = x + key * CELL + CELL / 2 + 4
        parts.append(f'<text x="{at}" y="{TOP - 6}" transform="rotate(-60 {at} {TOP - 6})">{html.escape(token)}</text>')
    for query, row in enumerate(rows):
        most = max(row[:query + 1]) or 1
        for key in range(query + 1):
            shade = 255 - round(235 * row[key] / most)
            parts.append(f'<rect x="{x + key * CELL}" y="{TOP + query * CELL}" width="{CELL - 1}" height="{CELL - 1}" '
                         f'fill="rgb({shade},{shade},255)" stroke="#bbb" stroke-width="0.5"/>')
    return parts


def main():
    result = json.load(open(sys.argv[1]))
    folder, name = sys.argv[2], sys.argv[3]
    begin, end = (int(sys.argv[4]), int(sys.argv[5])) if len(sys.argv) > 5 else (0, None)
    for found in result["evidence"]["edges"]["selectors"]:
        example = found["example"]
        tokens = [str(token) for token in example["tokens"]][begin:end]
        pattern, selector = ([row[begin:end] for row in example[side][begin:end]] for side in ("pattern", "selector"))
        n = len(tokens)
        wide, high = LEFT + 2 * n * CELL + GAP + 30, TOP + n * CELL + 10
        parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{high}" font-family="sans-serif" font-size="11">',
                 f'<rect width="{wide}" height="{high}" fill="white"/>']
        for query, token in enumerate(tokens):
            parts.append(f'<text x="{LEFT - 6}" y="{TOP + query * CELL + 15}" text-anchor="end">{html.escape(token)}</text>')
        parts += grid(LEFT, pattern, tokens, f"{found['head']}: pattern")
        parts += grid(LEFT + n * CELL + GAP, selector, tokens, "selector")
        with open(f"{folder}/{name}-{found['head']}.svg", "w") as file:
            file.write("\n".join(parts + ["</svg>"]) + "\n")
        print(found["head"], found["relation"], found["entries"], found["recovered"])


if __name__ == "__main__":
    main()
