"""What a fill costs: the models of fees and slippage, in one place to import them from.

Source: docs/simulation.md, "Costs".
"""

from core.matching.fees import FEE_FORMS, AlpacaFee, BpsFee, NoFee, PerShareFee, PerTradeFee, fee_model
from core.matching.slippage import (
    SLIPPAGE_FORMS,
    BpsSlippage,
    NoSlippage,
    SpreadSlippage,
    VolumeSlippage,
    slippage_model,
)
from core.model.cost_models import FeeModel, Part, SlippageModel

__all__ = [
    "FEE_FORMS",
    "SLIPPAGE_FORMS",
    "AlpacaFee",
    "BpsFee",
    "BpsSlippage",
    "FeeModel",
    "NoFee",
    "NoSlippage",
    "Part",
    "PerShareFee",
    "PerTradeFee",
    "SlippageModel",
    "SpreadSlippage",
    "VolumeSlippage",
    "fee_model",
    "slippage_model",
]
