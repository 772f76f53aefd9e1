"""A program that runs from an image, wherever that is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from patterns.image_repository import ImageRepository
from patterns.traffic import WebTraffic

FINISHED_S = 30  # until a program that was told to end has answered those that came: then it is killed


@dataclass(frozen=True)
class ContainerProgram:
    """Which image, what it is told, how much it is asked, and where it says whether it is well.

    It listens on `port`. `health_path` answers 200 while the process is well, `ready_path` while it should get
    requests.
    """

    images: ImageRepository
    tag: str
    environment: Mapping[str, str]
    traffic: WebTraffic
    port: int = 8080
    health_path: str = "/health"
    ready_path: str = "/health"

    @property
    def image(self) -> str:
        """The image's address, with its tag."""
        return self.images.repository_uri_for_tag(self.tag)
