"""Origin endpoints of MediaPackage v2, which pay as those of the first version do: its page names one price for both.

Facts: https://aws.amazon.com/mediapackage/pricing/
"""

from __future__ import annotations

from dataclasses import replace

from workbench.review.resources import aws_mediapackage_originendpoint

ROOM = replace(aws_mediapackage_originendpoint.ROOM, type="AWS::MediaPackageV2::OriginEndpoint")
