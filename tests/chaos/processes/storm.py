"""Kill -9 at random, while customers hand over without a pause."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Final

from deployments.local.ports import EDGE_ADDRESSES
from tests.chaos.processes.people import Customer, People, Wish
from tests.chaos.processes.scene import Scene, Victim

WEIGHTS: Final = {
    Victim.FLOW: 10,
    Victim.WORKER: 3,
    Victim.SERVER: 1,
    Victim.EDGE: 3,
    Victim.EDGE_WORKER: 1,
    Victim.S3: 2,
}
WISHES: Final = (*([Wish.APPROVED] * 6), Wish.REFUSED, Wish.GIVEN_UP)
PAUSES_SECONDS: Final = (1.0, 9.0)
RESTARTS_SECONDS: Final = (5.0, 40.0)  # as DBOS restarts its server


class Storm:
    """
    One storm over one scene.

    Args:
        restarts: Kill the Prefect server every 5 to 40 s as well.

        calm: Seconds that everybody has after the last kill to end what is under way.
    """

    def __init__(self, scene: Scene, people: People, random: Random, restarts: bool, calm: float) -> None:
        self.scene, self.people, self._random, self._restarts = scene, people, random, restarts
        self._calm = calm
        self._over = threading.Event()

    def rage(self, kills: int, seconds: float, customers: int, progress: Callable[[], None] = lambda: None) -> None:
        """Kill until so many have fallen, or for so long; then wait until everybody has what they want."""
        welcome = [self.people.welcome(f"shop-{number}") for number in range(customers)]
        threads = [
            threading.Thread(target=self._hand_over, args=(customer, Random(self._random.random())), daemon=True)
            for customer in welcome
        ]
        with self.people.answering():
            for thread in threads:
                thread.start()
            self._kill(kills, seconds, progress)
            self._over.set()
            self.scene.wait(lambda: not any(thread.is_alive() for thread in threads), self._calm)

    def _hand_over(self, customer: Customer, random: Random) -> None:
        while not self._over.is_set():
            hand_over = self.people.prepare(customer, random.choice(WISHES))
            self.people.carry(customer, hand_over)
            if hand_over.trouble:
                return

    def _kill(self, kills: int, seconds: float, progress: Callable[[], None]) -> None:
        end, restart_at = time.monotonic() + seconds, 0.0
        before = len(self.scene.deaths)
        while len(self.scene.deaths) - before < kills and time.monotonic() < end:
            self.scene.wait(lambda: False, self._random.uniform(*PAUSES_SECONDS))
            if self._restarts and time.monotonic() > restart_at and not self._waits("prefect"):
                self.scene.kill(Victim.SERVER)
                restart_at = time.monotonic() + self._random.uniform(*RESTARTS_SECONDS)
            (victim,) = self._random.choices(list(WEIGHTS), list(WEIGHTS.values()))
            letter = self._random.choice(list(EDGE_ADDRESSES))
            name = {Victim.SERVER: "prefect", Victim.S3: "s3"}.get(victim, f"edge-{letter}")
            if not self._waits(name):
                self.scene.kill(victim, letter, self._random.choice)
            progress()

    def _waits(self, name: str) -> bool:
        """Say whether a part was killed and has not come back yet."""
        return any(death.name == name and death.back_at is None for death in self.scene.deaths)


def count(scene: Scene) -> Counter[str]:
    return Counter(str(death.victim) for death in scene.deaths)
