"""What the simulated shop consists of: its sources, their actions, their habits."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

Hours = tuple[float, ...]

BY_DAY: Final[Hours] = (
    *(2, 1, 1, 1, 1, 2, 4, 8, 14, 18, 20, 20),
    *(22, 20, 18, 18, 19, 22, 26, 30, 28, 20, 10, 5),
)
BY_NIGHT: Final[Hours] = (
    *(20, 30, 40, 30, 20, 10, 2, 1, 1, 1, 1, 1),
    *(1, 1, 1, 1, 1, 1, 1, 1, 2, 4, 8, 12),
)
"""Relative volume of the hours of a day, from midnight UTC."""


@dataclass(frozen=True, slots=True)
class Source:
    """A source of events.

    Attributes:
        name: As in the event.
        hours: Relative volume of the hours of a day.
        week: Relative volume of Monday to Sunday.
        anonymous: Share of events without a user, 0 to 1.
    """

    name: str
    hours: Hours
    week: tuple[float, ...]
    anonymous: float


@dataclass(frozen=True, slots=True)
class Action:
    """An action of a source.

    Attributes:
        source, name: As in the event.
        volume: Relative volume among all actions.
        entity_type: What it acts on.
        failure_rate: Share of events that fail, 0 to 1.
        failure: Status of those.
        success: Status of the others.
    """

    source: Source
    name: str
    volume: float
    entity_type: str
    failure_rate: float = 0.0
    failure: str = "failure"
    success: str = "success"


_WEB = Source("web_shop", BY_DAY, (1.0, 0.95, 0.95, 1.0, 1.1, 1.3, 1.25), 0.35)
_PAYMENTS = Source("payments", BY_DAY, (1.0, 0.95, 0.95, 1.0, 1.1, 1.25, 1.2), 0.0)
_WAREHOUSE = Source("warehouse", BY_DAY, (1.2, 1.05, 1.0, 1.0, 1.0, 0.4, 0.15), 0.2)
_ACCOUNTS = Source("accounts", BY_DAY, (1.0, 1.0, 1.0, 1.0, 1.0, 1.1, 1.1), 0.0)
_SUPPORT = Source("support", BY_DAY, (1.3, 1.1, 1.0, 1.0, 1.0, 0.5, 0.4), 0.05)
_NIGHTLY = Source("nightly_jobs", BY_NIGHT, (1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0), 1.0)

ACTIONS: Final = (
    Action(_WEB, "product_viewed", 300, "product", 0.004, "error"),
    Action(_WEB, "search_performed", 140, "query", 0.01, "error"),
    Action(_WEB, "cart_item_added", 90, "cart", 0.01),
    Action(_WEB, "cart_item_removed", 25, "cart"),
    Action(_WEB, "checkout_started", 40, "cart", 0.02),
    Action(_WEB, "order_placed", 32, "order", 0.03),
    Action(_WEB, "coupon_redeemed", 14, "coupon", 0.12, "rejected"),
    Action(_WEB, "review_written", 6, "product"),
    Action(_PAYMENTS, "payment_authorized", 34, "payment", 0.05, "denied"),
    Action(_PAYMENTS, "payment_captured", 31, "payment", 0.02, "failed"),
    Action(_PAYMENTS, "refund_issued", 8, "payment", 0.02, "failed"),
    Action(_PAYMENTS, "payout_sent", 5, "payout", 0.01, "failed"),
    Action(_WAREHOUSE, "stock_reserved", 36, "stock_item", 0.03, "rejected"),
    Action(_WAREHOUSE, "parcel_packed", 28, "parcel", 0.005),
    Action(_WAREHOUSE, "parcel_shipped", 27, "parcel", 0.01, "error"),
    Action(_WAREHOUSE, "parcel_returned", 7, "parcel"),
    Action(_WAREHOUSE, "stock_counted", 10, "stock_item"),
    Action(_ACCOUNTS, "login", 80, "session", 0.06, "denied"),
    Action(_ACCOUNTS, "logout", 45, "session"),
    Action(_ACCOUNTS, "password_reset", 8, "account", 0.08, "failed"),
    Action(_ACCOUNTS, "account_created", 9, "account", 0.05, "rejected"),
    Action(_ACCOUNTS, "address_changed", 7, "account"),
    Action(_SUPPORT, "ticket_opened", 10, "ticket"),
    Action(_SUPPORT, "ticket_answered", 16, "ticket"),
    Action(_SUPPORT, "ticket_closed", 9, "ticket"),
    Action(_SUPPORT, "chat_message_sent", 30, "chat", 0.01, "timeout"),
    Action(_NIGHTLY, "invoice_exported", 24, "invoice", 0.01, "failed", "completed"),
    Action(_NIGHTLY, "search_index_updated", 14, "product", 0.02, "error", "completed"),
    Action(_NIGHTLY, "newsletter_sent", 20, "campaign", 0.03, "failed", "completed"),
    Action(_NIGHTLY, "backup_verified", 6, "backup", 0.01, "failed", "completed"),
)

CITIES: Final = (
    "Köln",
    "Zürich",
    "Kraków",
    "São Paulo",
    "København",
    "東京",
    "Αθήνα",
    "Lyon",
    "Leeds",
    "Đà Nẵng",
)
DEVICES: Final = ("mobile", "desktop", "tablet")
LOCALES: Final = ("de-DE", "en-GB", "fr-FR", "pl-PL", "ja-JP", "pt-BR")
CURRENCIES: Final = ("EUR", "CHF", "PLN")
METADATA_VARIANTS: Final = 256


def metadata_variants(action: Action, rng: np.random.Generator) -> list[str]:
    """Draw `METADATA_VARIANTS` metadata objects of an action as JSON text, each still open at its end."""
    return [
        json.dumps(_metadata(action, rng), ensure_ascii=False, separators=(",", ":"))[:-1]
        for _ in range(METADATA_VARIANTS)
    ]


def _metadata(action: Action, rng: np.random.Generator) -> dict[str, Any]:
    if action.source is _NIGHTLY:
        return {
            "job": {"name": action.name, "attempt": int(rng.integers(1, 4))},
            "rows": int(rng.integers(1, 50_000)),
            "duration_ms": int(rng.lognormal(8, 1)),
        }
    client = {
        "device": _one_of(DEVICES, rng),
        "locale": _one_of(LOCALES, rng),
        "city": _one_of(CITIES, rng),
    }
    if action.source is _PAYMENTS or action.name in {"order_placed", "checkout_started"}:
        amount = {"cents": int(rng.lognormal(8.3, 0.8)), "currency": _one_of(CURRENCIES, rng)}
        return {"amount": amount, "items": int(rng.integers(1, 9)), "client": client}
    return {"client": client, "duration_ms": int(rng.lognormal(4, 1))}


def _one_of(options: tuple[str, ...], rng: np.random.Generator) -> str:
    return options[rng.integers(len(options))]
