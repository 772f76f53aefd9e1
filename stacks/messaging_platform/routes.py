"""Who answers what of the HTTP API: path → methods, by service."""

from __future__ import annotations

from aws_cdk.aws_apigatewayv2 import HttpMethod

GET, PUT, POST, DELETE = HttpMethod.GET, HttpMethod.PUT, HttpMethod.POST, HttpMethod.DELETE
DIRECTORY = {
    "/me": (GET, PUT),
    "/devices/{device}": (PUT, DELETE),
    "/devices/{device}/tickets": (POST,),
    "/contacts": (GET,),
    "/contacts/{user}": (PUT, DELETE),
    "/blocks": (GET,),
    "/blocks/{user}": (PUT, DELETE),
    "/chats": (POST,),
    "/groups": (POST,),
    "/groups/{chat}": (GET,),
    "/groups/{chat}/members/{user}": (PUT, DELETE),
}
MESSAGING = {
    "/actions/{device}": (POST,),
    "/sync/{device}": (GET,),
    "/chats": (GET,),
    "/chats/{chat}": (GET,),
    "/chats/{chat}/messages": (GET,),
    "/chats/{chat}/receipts": (GET,),
}
MEDIA = {
    "/media": (POST,),
    "/media/{media}": (GET, DELETE),
    "/media/{media}/parts": (GET,),
    "/media/{media}/complete": (POST,),
}
# Without a token: what Route 53 asks.
OPEN = {"/health": (GET,)}
