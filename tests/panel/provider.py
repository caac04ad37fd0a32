"""An OpenID Connect provider on loopback: Authlib's own server side behind a real HTTP server.

It knows one client and a few people, wants PKCE and a nonce, and gives out each code once. `crooked` is what a
test puts between it and us: it gets the claims, the header and the key of an ID token, and makes another of them.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

import flask
import httpx
from authlib.integrations.flask_oauth2 import AuthorizationServer, ResourceProtector, current_token
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import ClientMixin, TokenMixin, grants
from authlib.oauth2.rfc6750 import BearerTokenValidator
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core import AuthorizationCodeMixin
from authlib.oidc.core.grants import OpenIDCode
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey
from werkzeug.serving import make_server

CLIENT, SECRET = "recorderd", "the client's secret"
BACK = "http://panel.test/login/oidc/return"
KEY = RSAKey.generate_key(2048, {"kid": "k1", "use": "sig"})
# Claims, header and key of an ID token; the token that is given out in its place.
Crooked = Callable[[dict[str, Any], dict[str, Any], RSAKey], str]


@dataclass(frozen=True)
class Client(ClientMixin):
    """The panel, as it is registered here."""

    redirect_uri: str = BACK

    def get_client_id(self) -> str:
        return CLIENT

    def get_default_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_allowed_scope(self, scope: str) -> str:
        return " ".join(word for word in scope.split() if word in ("openid", "profile", "groups"))

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri == self.redirect_uri

    def check_client_secret(self, client_secret: str) -> bool:
        return client_secret == SECRET

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:  # noqa: ARG002
        return method == "client_secret_basic"

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "authorization_code"


@dataclass
class Code(AuthorizationCodeMixin):
    """A code that was given out."""

    code: str
    who: str
    redirect_uri: str
    scope: str
    nonce: str
    at: float
    code_challenge: str
    code_challenge_method: str

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope

    def get_nonce(self) -> str:
        return self.nonce

    def get_auth_time(self) -> int:
        return int(self.at)


@dataclass
class Token(TokenMixin):
    """An access token that was given out."""

    who: str
    scope: str

    def get_scope(self) -> str:
        return self.scope

    def is_expired(self) -> bool:
        return False

    def is_revoked(self) -> bool:
        return False


@dataclass
class TestProvider:
    """`people` are their claims by `sub`; those in `only_userinfo` are in no ID token. `keys` are told in the place of
    its own.
    """

    __test__: ClassVar[bool] = False

    issuer: str
    people: dict[str, dict[str, Any]] = field(default_factory=dict)
    client: Client = field(default_factory=Client)
    key: RSAKey = field(default_factory=lambda: KEY)
    keys: Any = None
    crooked: Crooked | None = None
    only_userinfo: tuple[str, ...] = ()
    clock: Callable[[], float] = time.time
    metadata: dict[str, Any] = field(default_factory=dict)
    codes: dict[str, Code] = field(default_factory=dict)
    tokens: dict[str, Token] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def app(self) -> flask.Flask:
        """The server, to be served."""
        app = flask.Flask("provider")
        server = AuthorizationServer(app, query_client=lambda _id: self.client, save_token=self._keep)
        server.register_grant(_grant(self), [CodeChallenge(required=True), _open_id(self)])
        protector = ResourceProtector()
        protector.register_token_validator(_validator(self))

        @app.before_request
        def count() -> None:
            self.asked.append(flask.request.path)

        @app.get("/.well-known/openid-configuration")
        def configuration() -> Any:
            return flask.jsonify(self.described())

        @app.get("/keys")
        def keys() -> Any:
            own = KeySet([self.key]).as_dict(private=False)
            return flask.jsonify(own if self.keys is None else self.keys)

        @app.route("/authorize", methods=["GET", "POST"])
        def authorize() -> Any:
            try:
                grant = server.get_consent_grant(end_user=None)
            except OAuth2Error as error:
                return server.handle_error_response(server.create_oauth2_request(flask.request), error)
            if flask.request.method == "GET":
                buttons = "".join(f'<button name="who" value="{who}">{who}</button>' for who in self.people)
                return f'<!doctype html><title>Example Office</title><form method="post">{buttons}</form>'
            who = flask.request.form.get("who") or None
            return server.create_authorization_response(grant=grant, grant_user=who)

        @app.post("/token")
        def token() -> Any:
            return server.create_token_response()

        @app.get("/userinfo")
        @protector("openid")
        def userinfo() -> Any:
            return flask.jsonify({"sub": current_token.who, **self.people[current_token.who]})

        @app.get("/logout")
        def logout() -> Any:
            return "<!doctype html><title>out</title><h1>You are signed out of everything</h1>"

        return app

    def described(self) -> dict[str, Any]:
        """What it says of itself."""
        places = {
            "authorization": "authorize",
            "token": "token",
            "userinfo": "userinfo",
            "end_session": "logout",
        }
        return {
            "issuer": self.issuer,
            **{f"{name}_endpoint": f"{self.issuer}/{path}" for name, path in places.items()},
            "jwks_uri": f"{self.issuer}/keys",
            "response_types_supported": ["code"],
            "id_token_signing_alg_values_supported": ["RS256"],
            **self.metadata,
        }

    def _keep(self, token: dict[str, Any], request: Any) -> None:
        self.tokens[token["access_token"]] = Token(request.user, token["scope"])

    def signed(self, id_token: str) -> str:
        """The ID token as it goes out."""
        if self.crooked is None:
            return id_token
        read = jwt.decode(id_token, self.key)
        return self.crooked(dict(read.claims), dict(read.header), self.key)


def _grant(provider: TestProvider) -> type:
    class Grant(grants.AuthorizationCodeGrant):
        TOKEN_ENDPOINT_AUTH_METHODS: ClassVar[list[str]] = ["client_secret_basic"]

        def save_authorization_code(self, code: str, request: Any) -> None:
            said = request.payload.data
            names = ("redirect_uri", "scope", "nonce", "code_challenge", "code_challenge_method")
            given = {name: said[name] for name in names}
            provider.codes[code] = Code(code, request.user, at=provider.clock(), **given)

        def query_authorization_code(self, code: str, client: Any) -> Code | None:  # noqa: ARG002
            return provider.codes.get(code)

        def delete_authorization_code(self, authorization_code: Code) -> None:
            del provider.codes[authorization_code.code]

        def authenticate_user(self, authorization_code: Code) -> str:
            return authorization_code.who

    return Grant


def _open_id(provider: TestProvider) -> OpenIDCode:
    class OpenID(OpenIDCode):
        def exists_nonce(self, nonce: str, request: Any) -> bool:  # noqa: ARG002
            return any(code.nonce == nonce for code in provider.codes.values())

        def get_client_claims(self, client: Any) -> dict[str, Any]:
            now = int(provider.clock())
            return {"iss": provider.issuer, "aud": [client.get_client_id()], "iat": now, "exp": now + 300}

        def resolve_client_private_key(self, client: Any) -> RSAKey:  # noqa: ARG002
            return provider.key

        def get_encode_header(self, client: Any) -> dict[str, str]:  # noqa: ARG002
            return {"alg": "RS256", "kid": str(provider.key.kid)}

        def generate_user_info(self, user: str, scope: str) -> dict[str, Any]:  # noqa: ARG002
            claims = provider.people[user].items()
            return {"sub": user, **{n: v for n, v in claims if n not in provider.only_userinfo}}

        def encode_id_token(self, token: dict[str, Any], request: Any) -> str:
            return provider.signed(super().encode_id_token(token, request))

    return OpenID(require_nonce=True)


def _validator(provider: TestProvider) -> BearerTokenValidator:
    class Validator(BearerTokenValidator):
        def authenticate_token(self, token_string: str) -> Token | None:
            return provider.tokens.get(token_string)

    return Validator()


@contextlib.contextmanager
def providing(back: str = BACK) -> Iterator[TestProvider]:
    """The provider, served on a free port while the block lasts."""
    box: list[TestProvider] = []
    server = make_server("127.0.0.1", 0, lambda *a: box[0].served(*a), threaded=True)  # type: ignore[attr-defined]
    provider = TestProvider(f"http://127.0.0.1:{server.server_port}", client=Client(back))
    provider.served = provider.app()  # type: ignore[attr-defined]
    box.append(provider)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        thread.join(5)
        server.server_close()


async def consent(address: str, who: str) -> httpx.URL:
    """What a browser does there: see the page, press the button of `who`; where it is sent back to."""
    async with httpx.AsyncClient() as browser:
        page = await browser.get(address)
        assert page.status_code == 200, page.text
        answer = await browser.post(address, data={"who": who})
    assert answer.status_code in (302, 303), answer.text
    return httpx.URL(answer.headers["location"])
