"""What the worker runs."""

import re
from collections import Counter

WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")


def count_words(text):
    words = Counter(word.lower() for word in WORD.findall(text))
    return {"words": words.total(), "distinct": len(words), "most": words.most_common(3)}
