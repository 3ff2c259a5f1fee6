"""What a JSON document says of a model; named where commands are declared."""

from __future__ import annotations

__all__ = ["MODEL_KEYS"]

MODEL_KEYS = (
    "version, model, features, accuracy (expected of the final model on unseen examples), "
    "accuracy_interval, held_out_accuracy (of the models of the folds, which saw fewer seeds), "
    "leaky_accuracy (what a random split of samples would have claimed), leak_gap, macro_f1, "
    "macro_f1_interval, per_category (precision, recall, recall_interval, n_seeds and n_groups of "
    "each code), confusion (counts: rows are true, columns predicted, in the order of "
    "per_category), calibration (error, error_interval, bins), sets (coverage, threshold, "
    "mean_size, n_needed, held, held_interval), unknown (threshold, rejected, rejected_interval), "
    "unscored, not_estimable (codes of too few groups: how others would fare is not known), "
    "generated_only, seconds, tried (what it was chosen from: model, parameters, "
    "features, and accuracy, the share of held-out seeds that it got right; the highest of them "
    "flatters); figures are null where nothing could be scored"
)
