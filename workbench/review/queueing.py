"""How long work waits before servers that are few: Little's law, M/M/1 and M/M/c (Erlang B and C).

    queue = Queue(arrivals=Decimal(5), service=Decimal("0.2"), servers=2)    # 5 a second, of 0.2 s each
    queue.utilisation       # Decimal("0.5")
    queue.chance_to_wait    # 1/3: Erlang C
    queue.mean_wait         # 0.0667 s
    queue.wait(Decimal("0.99"))

The assumptions are those of M/M/c: work arrives by itself (a Poisson process), what one piece takes is distributed
exponentially, every server takes from the one queue, in order, and the queue has no end. Work that comes in waves
waits longer; work that always takes the same time waits about half as long. Erlang B, for servers that refuse
instead of queueing, needs no more of the service time than its mean. All of it is of the busiest second, as if that
went on.

Sources: A. K. Erlang, "Solution of some Problems in the Theory of Probabilities of Significance in Automatic
Telephone Exchanges", 1917; J. D. C. Little, "A Proof for the Queuing Formula L = λW", Operations Research 9, 1961;
L. Kleinrock, "Queueing Systems", volume 1, 1975, sections 3.2 (M/M/1), 3.4 (M/M/m) and 3.5 (M/M/m/m).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from workbench.workload import Figure

UTILISATION = "ρ = λ × s ÷ c"
ERLANG_B = "B = (a^c ÷ c!) ÷ (a^0 ÷ 0! + a^1 ÷ 1! + … + a^c ÷ c!), with a = λ × s"
ERLANG_C = "C = B ÷ (1 − ρ × (1 − B))"
MEAN_WAIT = "C × s ÷ (c × (1 − ρ))"
P99_WAIT = "ln(C ÷ 0.01) × s ÷ (c × (1 − ρ)), not below 0"
GROWTH = "λ − c ÷ s"
P99 = Decimal("0.99")

_NEGLIGIBLE = Decimal("1e-30")
_CERTAIN = Decimal("1e60")


@dataclass(frozen=True)
class Station:
    """Servers of a resource: how many, what comes to them a second, and the seconds that one piece takes.

    `work` names the pieces, and how many there are of the queue where it is one of several: `batches of each shard`.
    `refuses` is True where what finds no server free is turned away instead of waiting.
    """

    resource: str
    work: str
    servers: Figure
    arrivals: Figure
    service_seconds: Figure
    refuses: bool = False


def little(arrivals: Figure, seconds: Figure) -> Figure:
    """L = λW: how many are there at once, of what arrives so often and stays so long."""
    return arrivals * seconds


def erlang_b(servers: int, offered: Decimal) -> Decimal:
    """The chance that an arrival finds all `servers` busy, where it is then turned away; `offered` is in erlangs.

    1 ÷ B is the sum over j of c!/(c − j)! ÷ a^j: every term is positive, so nothing cancels, and it is ended when the
    rest no longer counts, which makes a hundred thousand servers as quick as a hundred. Below 10⁻⁶⁰ it is 0.
    """
    if offered <= 0:
        return Decimal(0) if servers else Decimal(1)
    inverse = term = Decimal(1)
    for left in range(servers, 0, -1):
        term = term * left / offered
        inverse += term
        if inverse > _CERTAIN:
            return Decimal(0)
        if term < inverse * _NEGLIGIBLE:
            break
    return 1 / inverse


def erlang_c(servers: int, offered: Decimal) -> Decimal:
    """The chance that an arrival has to wait; 1 where the servers can't keep up."""
    if offered >= servers:
        return Decimal(1)
    blocked = erlang_b(servers, offered)
    return blocked / (1 - offered / servers * (1 - blocked))


@dataclass(frozen=True)
class Queue:
    """`servers` equal servers, `arrivals` a second, of which each keeps one busy for `service` seconds on average."""

    arrivals: Decimal
    service: Decimal
    servers: int

    @property
    def offered(self) -> Decimal:
        """The servers kept busy on average, in erlangs (Little's law)."""
        return self.arrivals * self.service

    @property
    def utilisation(self) -> Decimal:
        """ρ, the part of its time that a server is busy; from 1 on the queue grows without end."""
        return self.offered / self.servers

    @property
    def is_stable(self) -> bool:
        return self.offered < self.servers

    @property
    def growth(self) -> Decimal:
        """What is added to the queue each second where it grows without end; 0 where it doesn't."""
        return Decimal(0) if self.is_stable else self.arrivals - self.servers / self.service

    @property
    def chance_to_wait(self) -> Decimal:
        """Erlang C."""
        return erlang_c(self.servers, self.offered)

    @property
    def chance_to_be_refused(self) -> Decimal:
        """Erlang B, where there is no queue at all."""
        return erlang_b(self.servers, self.offered)

    @property
    def mean_wait(self) -> Decimal | None:
        """Seconds before a server takes it, over all that arrive; None where the queue grows without end."""
        if not self.is_stable:
            return None
        return self.chance_to_wait / self._spare

    def wait(self, part: Decimal) -> Decimal | None:
        """The seconds that `part` of all arrivals wait at the most; None where the queue grows without end."""
        if not self.is_stable:
            return None
        waiting, beyond = self.chance_to_wait, 1 - part
        return (waiting / beyond).ln() / self._spare if waiting > beyond else Decimal(0)

    @property
    def _spare(self) -> Decimal:
        """What the servers could do beyond what arrives, a second."""
        return self.servers / self.service - self.arrivals
