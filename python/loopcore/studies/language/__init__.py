"""Next words of a text, predicted in context by gradient descent on vectors of words.

Open question 3 for real language: how do bound and measurement compare on next-token prediction?

A text is split by position into a training part (60 %), a validation part and a test part (20 %
each). The training part gives the vocabulary, the counts, and vectors of words (`embedding`). A
prompt at a position is made of the n pairs of a word and the next one that come before it, with
the vector of the present word and a constant as x_i, and the m entries of the next word's vector as
m targets on one X. v(T) for each target predicts an entry of ŷ at the word before the position, and
ŷ a distribution over the vocabulary (`readout`):

    log p(w) = log p₁(w) + ⟨ŷ, e(w)⟩/τ − log Z

p₁ is the unigram model, so that T = 0 is the unigram model. For each method, n and T the
temperature τ with the least cross-entropy on validation positions is taken, and so is the best T,
or penalty, or number of neighbours. Then all are tested, on positions at equal distances in the
test part.

Beside the loop on plain vectors and on whitened ones (the same least-squares solution, another κ)
stand trained models (diagonal Q, P and a step for each loop, by `loopcore.fit` on prompts of the
training part, with the same steps for all prompts or with steps over each prompt's λ_max), ridge
and nearest neighbours on the same inputs, counts of the context (bigram, unigram and the training
part's unigram, mixed), ridge with the whole training part as its context, and models of the
training part: unigram, bigram, trigram (`ngrams`). Each is also mixed with the trigram model, by
one weight chosen on validation.

Of every test prompt: rank and κ of XᵀX, and |⟨v(T), θ̂⟩ − ‖θ̂‖²| / ‖θ̂‖² of each of its targets,
which exp(−T/2κ) bounds; shown are medians over prompts of the median over a prompt's targets.

Intervals are percentile intervals over resampled blocks of neighbouring test positions. They do
not see the choices made on validation data, other texts, or dependence beyond a block.

A benchmark file is a second text, of which the same is measured: its vocabulary, vectors and counts
are those of its own first part. It is read as such files are meant, at blanks, and every line's end
is a word. Perplexities compare models on one text with one vocabulary: not with published ones.

A trained Q with all d² entries free was tried and overfits: with 4,000 prompts of n = 512 and the
same steps for all prompts, its loss on 200 validation positions was 0.15 to 0.2 nats above that of
the untrained loop, and that of the diagonal one 0.01 to 0.08.

Source: arXiv 2410.11268 for loop and bound; those of `embedding` and `ngrams`. The prompts, the
read-out, the splits and all sizes are [ours]. The text: see `data/README.md`.
"""

from __future__ import annotations

from loopcore.studies.frame.blas import one_blas_thread
from loopcore.studies.frame.parts import SILENT, Parts
from loopcore.studies.frame.study import Study
from loopcore.studies.language.config import QUICK, Config
from loopcore.studies.language.corpus import load
from loopcore.studies.language.figure import plot
from loopcore.studies.language.findings import findings
from loopcore.studies.language.measure import measure
from loopcore.studies.language.results import Result
from loopcore.studies.language.sheets import sheets

__all__ = ["QUICK", "STUDY", "Config", "Result", "compute", "findings", "plot", "sheets"]


@one_blas_thread()
def compute(config: Config, parts: Parts = SILENT) -> Result:
    """Measure the text, and the benchmark where one is named.

    Parameters
    ----------
    config : Config
        What to measure.
    parts : Parts
        Measures the parts.

    Returns
    -------
    Result
        The same for the same configuration and files.

    Raises
    ------
    ModuleNotFoundError
        Without SciPy.
    OSError, ValueError
        If a file cannot be read, is not text, or is too short for the contexts.

    Examples
    --------
    >>> tiny = Config(lengths=(8, 64), loops=(0, 4), dimension=4, positions=100, blocks=10,
    ...               penalties=(1.0,), neighbors=(4,), trained_loops=(1,), prompts=200)
    >>> (alice,) = compute(tiny).texts
    >>> print(alice.words, alice.vocabulary, round(float(alice.reference("trigram").loss.mean())))
    34340 1098 4
    """
    texts = tuple(measure(one, i, config, parts) for i, one in enumerate(load(config)))
    return Result(config, texts)


STUDY = Study(
    name="language",
    title="Next words in context",
    question=(
        "How well do T loops of gradient descent, on the n pairs of neighbouring words before a "
        "position, predict the next word of a real text, beside models that count, neighbours and "
        "ridge? And how do the loop's errors compare with the bound exp(−T/2κ)?"
    ),
    caption=(
        "Top left: test cross-entropy by context length, everything else chosen on validation "
        "data; the band is the 95 % interval, over resampled blocks of the test part, of how far "
        "the loop on whitened inputs is below the unigram model, and dashed lines are models of "
        "the training part. Top right: by loops, with the temperature chosen for each. Bottom "
        "left: median over test prompts of the median relative error of a prompt's targets, and "
        "the bound's median. Bottom right: κ over non-zero eigenvalues."
    ),
    sources=(
        "arXiv 2410.11268",
        "L. Carroll, Alice's Adventures in Wonderland, 1865 (Project Gutenberg)",
        "O. Levy and Y. Goldberg, 2014 (vectors of words)",
        "R. Kneser and H. Ney, 1995 (n-grams)",
    ),
    full=Config(),
    quick=QUICK,
    compute=compute,
    plot=plot,
    sheets=sheets,
    findings=findings,
)
"""What the command needs to know."""
