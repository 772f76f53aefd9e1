"""Collections of faces: faces held, and the images that are analysed for them.

IndexFaces and SearchFacesByImage count an image each; searching by a face's number counts one too. Facts:
https://aws.amazon.com/rekognition/pricing/ , group 1
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import by_use
from workbench.review.room import Context, CostLine, Room, Usage


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    yield from by_use.lines(
        resource,
        context,
        ("Faces held", "face-months", "stored_faces", "rekognition.face_storage"),
        ("Images analysed", "images", "images_per_month", "rekognition.image.group1"),
    )


ROOM = Room(
    type="AWS::Rekognition::Collection",
    classification="usage",
    usage={
        "stored_faces": Usage("faces", "face vectors and user vectors held"),
        "images_per_month": Usage("images", "calls that index faces or search for them"),
    },
    lines=_lines,
)
