"""PyJWT, as a resource server would use it. Which algorithms may be used is left to the published keys to say."""

import json
import sys

import jwt

asked = json.load(sys.stdin)
keys = jwt.PyJWKClient(asked["jwks"])


def verify(token, audience):
    try:
        key = keys.get_signing_key_from_jwt(token)
        read = jwt.decode_complete(token, key, audience=audience, issuer=asked["issuer"])
    except jwt.PyJWTError as error:
        return {"refused": type(error).__name__}
    header = read["header"]
    # PyJWT leaves the type of a token to its caller.
    if header["typ"] != "at+jwt":
        return {"refused": "typ"}
    return {"alg": header["alg"], "kid": header["kid"], "claims": read["payload"]}


print(json.dumps([verify(case["token"], case["audience"]) for case in asked["cases"]]))
