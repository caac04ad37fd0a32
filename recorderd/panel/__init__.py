"""The room that shows: the web panel and the HTTP API, in a process of its own (`recorderd panel`).

    ports      what the pages may ask of the rest: plain data and one Protocol for each service
    app        the assembly: middleware, rights of each path, errors
    language   the sentence in the reader's language: `_`, `ngettext`
    entrance, passwords, throttle, sessions, tokens   how somebody gets in and stays in
    sign_on, oidc, trusted     the same by the word of a provider, or of the proxy before us
    accounts   who may: the administrator's hand on users
    rights     what each role may, and of whom
    filters    the filter language: one line or a form
    calls, live, settings, media, admin, audit        what the pages show and change
    webhooks   finished recordings and alarms, told to other machines
    api        the same for machines: JSON with OpenAPI
    pages, templates, static, locale                  the HTML, its looks and its languages

It stands on the store and asks the daemon through the control socket. It opens no AMI connection, and a call
is recorded as well without it.
"""
