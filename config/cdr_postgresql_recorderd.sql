-- The table for cdr_pgsql or cdr_adaptive_odbc, which write into whatever columns they find. recorderd reads
-- it with `cdr.source: postgresql://...`; with `cdr.writable: true` it also needs UPDATE (recordingfile).

CREATE TABLE cdr (
    calldate      timestamp NOT NULL,
    clid          text NOT NULL DEFAULT '',
    src           text NOT NULL DEFAULT '',
    dst           text NOT NULL DEFAULT '',
    dcontext      text NOT NULL DEFAULT '',
    channel       text NOT NULL DEFAULT '',
    dstchannel    text NOT NULL DEFAULT '',
    lastapp       text NOT NULL DEFAULT '',
    lastdata      text NOT NULL DEFAULT '',
    duration      bigint NOT NULL DEFAULT 0,
    billsec       bigint NOT NULL DEFAULT 0,
    disposition   text NOT NULL DEFAULT '',
    amaflags      bigint NOT NULL DEFAULT 0,
    accountcode   text NOT NULL DEFAULT '',
    userfield     text NOT NULL DEFAULT '',
    uniqueid      text NOT NULL,
    linkedid      text NOT NULL,
    sequence      bigint NOT NULL,
    recordingfile text NOT NULL DEFAULT ''
);
CREATE INDEX ON cdr (calldate);
CREATE INDEX ON cdr (uniqueid);
