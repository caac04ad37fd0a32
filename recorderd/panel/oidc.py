"""OpenID Connect: somebody shows elsewhere who he is, and comes back with a code that we redeem.

Owns the protocol: discovery, state, nonce and PKCE on the way out; the code, the ID token and its claims on the
way back. Authlib builds and reads the messages, joserfc checks signatures. Must not know users, sessions or pages.

What must fit on the way back travels in the browser, sealed: the ticket. It opens only for the process that made it,
for ten minutes, and only beside the `state` that it holds. The provider itself lets a code be used once.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import secrets
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from cryptography.fernet import Fernet, InvalidToken

from recorderd.config.sections import Oidc
from recorderd.errors import ConfigError
from recorderd.panel.claims import Identity, ProviderError, found, printable, read_identity
from recorderd.panel.ports import Departure

# Public keys only: with a shared secret among them, a provider's public key could be taken for one.
ALGORITHMS = (
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "Ed25519",
    "EdDSA",
)
_KEY_TYPES = ("RSA", "EC", "OKP")
TICKET_SECONDS = 600
_LEEWAY_SECONDS = 60
_ANSWER_SECONDS = 5.0
# What a provider says of itself is believed for an hour; a failure to ask it for a moment, its keys for a minute
# at least, or a token with an unknown key would be a way to make us ask on and on.
_METADATA_SECONDS, _FAILURE_SECONDS, _KEYS_SECONDS = 3600.0, 5.0, 60.0
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """Somebody who came back, where he wanted to go, and in which language."""

    identity: Identity
    following: str
    language: str


class Provider:
    """The one provider of `panel.oidc`. `clock` is in seconds since the epoch. Raises ProviderError."""

    def __init__(self, settings: Oidc, clock: Callable[[], float]) -> None:
        try:
            # Only where it is asked for: an extra.
            from authlib.integrations import httpx_client
        except ImportError:
            raise ConfigError("panel.oidc needs a library more: pip install 'recorderd[oidc]'") from None
        if not settings.secret:
            ways = "give secret, secret_file or the credential oidc-secret"
            raise ConfigError(f"panel.oidc.secret is missing: {ways}")
        self.label = settings.label or urlsplit(settings.issuer).hostname or settings.issuer
        self._settings = settings
        self._clock = clock
        self._client_class: Any = httpx_client.AsyncOAuth2Client
        # The system's authorities, read once: to read them takes longer than all else in a login.
        self._tls = ssl.create_default_context()
        self._seal = Fernet(Fernet.generate_key())
        self._turn = asyncio.Lock()
        self._metadata: tuple[float, Mapping[str, Any] | str] = (0.0, "")
        self._keys: tuple[float, Any] = (0.0, None)

    # --- the way out -----------------------------------------------------------------------------

    async def depart(self, following: str, language: str) -> Departure:
        """Where to send somebody's browser, and the ticket that it keeps meanwhile."""
        metadata = await self._said_of_itself()
        packed = {
            "state": secrets.token_urlsafe(32),
            "nonce": secrets.token_urlsafe(32),
            "verifier": secrets.token_urlsafe(48),
            "following": following,
            "language": language,
        }
        async with self._client(metadata) as client:
            url, _state = client.create_authorization_url(
                metadata["authorization_endpoint"],
                state=packed["state"],
                nonce=packed["nonce"],
                code_verifier=packed["verifier"],
            )
        sealed = self._seal.encrypt_at_time(json.dumps(packed).encode(), int(self._clock()))
        return Departure(url=url, ticket=sealed.decode())

    async def farewell(self) -> str:
        """Where it lets one sign out; empty where it does not say."""
        endpoint = (await self._said_of_itself()).get("end_session_endpoint", "")
        back = self._settings.redirect_uri.removesuffix("/oidc/return")
        query = {"client_id": self._settings.client_id, "post_logout_redirect_uri": back}
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}" if endpoint else ""

    async def look(self) -> int:
        """Whether it is as we expect: how many keys it has by which we could believe it."""
        keys: int = len((await self._known_keys()).keys)
        return keys

    # --- the way back ----------------------------------------------------------------------------

    async def arrive(self, query: Mapping[str, str], ticket: str) -> Arrival:
        """Redeem what came back beside the ticket."""
        packed = self._opened(ticket)
        if not hmac.compare_digest(packed["state"].encode(), query.get("state", "").encode()):
            raise ProviderError("the state is not the one that we sent")
        metadata = await self._said_of_itself()
        _check_issuer(query, metadata)
        if "error" in query:
            raise ProviderError(f"it says {printable(query['error'])}")
        if not query.get("code"):
            raise ProviderError("there is no code")
        claims = await self._redeemed(metadata, query["code"], packed)
        identity = read_identity(self._settings, claims)
        return Arrival(identity=identity, following=packed["following"], language=packed["language"])

    def _opened(self, ticket: str) -> dict[str, str]:
        try:
            plain = self._seal.decrypt_at_time(ticket.encode(), TICKET_SECONDS, int(self._clock()))
        except InvalidToken:
            raise ProviderError("there is no ticket, or it is too old or not ours") from None
        packed: dict[str, str] = json.loads(plain)
        return packed

    async def _redeemed(
        self, metadata: Mapping[str, Any], code: str, packed: Mapping[str, str]
    ) -> dict[str, Any]:
        """The claims of the ID token that the code is worth, and those of userinfo that it lacks."""
        async with self._client(metadata) as client:
            token = await _asked(
                client.fetch_token(
                    metadata["token_endpoint"],
                    grant_type="authorization_code",
                    code=code,
                    code_verifier=packed["verifier"],
                    redirect_uri=self._settings.redirect_uri,
                )
            )
            if not isinstance(token.get("id_token"), str):
                raise ProviderError("it gave no ID token")
            claims = await self._proven(token["id_token"], packed["nonce"], token.get("access_token"))
            endpoint = metadata.get("userinfo_endpoint")
            if endpoint and any(found(claims, name) is None for name in self._wanted()):
                told = (await _asked(client.get(endpoint))).json()
                if not isinstance(told, dict) or told.get("sub") != claims["sub"]:
                    raise ProviderError("its userinfo is about somebody else")
                claims = {**told, **claims}
        return claims

    def _wanted(self) -> list[str]:
        settings = self._settings
        return [c for c in (settings.login_claim, settings.extension_claim, settings.role_claim) if c]

    async def _proven(self, id_token: str, nonce: str, access_token: object) -> dict[str, Any]:
        """The claims of an ID token that is signed by the provider, meant for us, of now, and of this login."""
        from authlib.oidc.core import CodeIDToken
        from joserfc import errors, jws, jwt

        registry = jws.JWSRegistry(algorithms=list(ALGORITHMS), strict_check_header=False)
        try:
            try:
                read = jwt.decode(id_token, await self._known_keys(), registry=registry)
            except errors.InvalidKeyIdError:
                read = jwt.decode(id_token, await self._known_keys(again=True), registry=registry)
            options: dict[str, Any] = {
                "iss": {"essential": True, "value": self._settings.issuer},
                "aud": {"essential": True, "value": self._settings.client_id},
            }
            given = {"nonce": nonce, "client_id": self._settings.client_id, "access_token": access_token}
            claims: Any = CodeIDToken(read.claims, read.header, options, given)
            claims.validate(now=int(self._clock()), leeway=_LEEWAY_SECONDS)
        except (errors.JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise ProviderError(f"its ID token is not believed: {type(error).__name__}, {error}") from error
        return dict(claims)

    # --- what the provider says of itself --------------------------------------------------------

    def _client(self, metadata: Mapping[str, Any]) -> Any:
        methods = metadata.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        basic = "client_secret_basic" in methods
        return self._client_class(
            self._settings.client_id,
            self._settings.secret,
            token_endpoint_auth_method="client_secret_basic" if basic else "client_secret_post",
            scope=" ".join(self._settings.scopes),
            redirect_uri=self._settings.redirect_uri,
            code_challenge_method="S256",
            timeout=_ANSWER_SECONDS,
            verify=self._tls,
        )

    async def _said_of_itself(self) -> Mapping[str, Any]:
        """Its metadata, whose issuer is the one that we were told of."""
        async with self._turn:
            until, known = self._metadata
            if self._clock() < until:
                if isinstance(known, str):
                    raise ProviderError(known)
                return known
            try:
                metadata = await self._fetched(
                    f"{self._settings.issuer.rstrip('/')}/.well-known/openid-configuration"
                )
                _check_metadata(metadata, self._settings.issuer)
            except ProviderError as error:
                self._metadata = (self._clock() + _FAILURE_SECONDS, str(error))
                raise
            self._metadata = (self._clock() + _METADATA_SECONDS, metadata)
            return metadata

    async def _known_keys(self, *, again: bool = False) -> Any:
        """Its public keys. `again`: it may have changed them."""
        from joserfc.errors import JoseError
        from joserfc.jwk import KeySet

        at, known = self._keys
        if known is not None and not (again and self._clock() - at >= _KEYS_SECONDS):
            return known
        found = await self._fetched((await self._said_of_itself())["jwks_uri"])
        try:
            usable = [k for k in found["keys"] if k.get("kty") in _KEY_TYPES and k.get("use", "sig") == "sig"]
            self._keys = (self._clock(), KeySet.import_key_set({"keys": usable}))
        except (JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise ProviderError(f"its keys cannot be read: {type(error).__name__}, {error}") from error
        return self._keys[1]

    async def _fetched(self, url: str) -> dict[str, Any]:
        async with self._client({}) as client:
            answer = await _asked(client.request("GET", url, withhold_token=True))
        try:
            found = answer.json()
        except ValueError:
            found = None
        if answer.status_code != 200 or not isinstance(found, dict):
            raise ProviderError(f"{url} gives no JSON (status {answer.status_code})")
        return found


async def _asked(question: Any) -> Any:
    """The answer; whatever may go wrong in asking is a ProviderError."""
    import httpx2
    from authlib.common.errors import AuthlibBaseError

    try:
        return await question
    except (httpx2.HTTPError, AuthlibBaseError, ValueError, KeyError, TypeError) as error:
        raise ProviderError(f"it does not answer: {type(error).__name__}, {printable(str(error))}") from error


def _check_metadata(metadata: Mapping[str, Any], issuer: str) -> None:
    if metadata.get("issuer") != issuer:
        raise ProviderError(f"it calls itself {printable(str(metadata.get('issuer')))}, not {issuer}")
    for name in (*_ENDPOINTS, "userinfo_endpoint", "end_session_endpoint"):
        url = metadata.get(name)
        if url is None and name not in _ENDPOINTS:
            continue
        # What it says of itself may not lead out of TLS again.
        if not isinstance(url, str) or urlsplit(url).scheme not in {"https", urlsplit(issuer).scheme}:
            raise ProviderError(f"its {name} is no address that we follow")


def _check_issuer(query: Mapping[str, str], metadata: Mapping[str, Any]) -> None:
    """RFC 9207: an answer that says whose it is must be this provider's."""
    told = query.get("iss")
    if told is None and metadata.get("authorization_response_iss_parameter_supported") is True:
        raise ProviderError("its answer does not say whose it is")
    if told is not None and told != metadata["issuer"]:
        raise ProviderError("the answer is another issuer's")
