"""What came of verifying a run, in a sentence."""

from core.model.verification import Verification


def verdict(verification: Verification) -> str:
    """Return in a sentence what came of it."""
    run_id, fills = verification.run_id, f"{verification.fills:,} fill{'' if verification.fills == 1 else 's'}"
    if not verification.was_repeated:
        return f"Run {run_id} cannot be repeated: {' '.join(item.sentence for item in verification.causes)}"
    if verification.differences:
        return f"Run {run_id} was repeated and came out otherwise. {verification.differences[0].sentence}"
    if not verification.is_whole:
        return (
            f"Run {run_id} was {verification.status}: its {fills} are, bit for bit, the first ones of the run when it goes on to its end."
        )
    return f"Run {run_id} was repeated: {fills}, {verification.orders:,} orders, equity and statistics are the same, bit for bit."
