CREATE TABLE IF NOT EXISTS version (
    id INT(10) UNSIGNED AUTO_INCREMENT PRIMARY KEY NOT NULL,
    table_name VARCHAR(32) NOT NULL,
    table_version INT UNSIGNED DEFAULT 0 NOT NULL,
    CONSTRAINT table_name_idx UNIQUE (table_name)
);

CREATE TABLE IF NOT EXISTS presence_b2b_subscriptions (
    id BIGINT PRIMARY KEY NOT NULL,
    node BIGINT DEFAULT 0 NOT NULL,
    epoch BIGINT DEFAULT 0 NOT NULL,
    written BIGINT DEFAULT 0 NOT NULL,
    origin VARCHAR(16) DEFAULT '' NOT NULL,
    record TEXT NOT NULL,
    subscriber TEXT NOT NULL,
    package TEXT NOT NULL,
    options TEXT NOT NULL,
    tie TEXT NOT NULL,
    state VARCHAR(16) DEFAULT '' NOT NULL,
    status VARCHAR(16) DEFAULT '' NOT NULL,
    call_id VARCHAR(255) DEFAULT '' NOT NULL,
    local_tag VARCHAR(255) DEFAULT '' NOT NULL,
    remote_tag VARCHAR(255) DEFAULT '' NOT NULL,
    target TEXT NOT NULL,
    route_set TEXT NOT NULL,
    entity_tag VARCHAR(255) DEFAULT '' NOT NULL,
    source TEXT NOT NULL,
    led_to VARCHAR(255) DEFAULT '' NOT NULL,
    socket VARCHAR(128) DEFAULT '' NOT NULL,
    has_flow BIGINT DEFAULT 0 NOT NULL,
    local_cseq BIGINT DEFAULT 0 NOT NULL,
    remote_cseq BIGINT DEFAULT 0 NOT NULL,
    version BIGINT DEFAULT 0 NOT NULL,
    expires_at BIGINT DEFAULT 0 NOT NULL,
    next_at BIGINT DEFAULT 0 NOT NULL,
    sent_at BIGINT DEFAULT 0 NOT NULL,
    opened_at BIGINT DEFAULT 0 NOT NULL,
    notify_by BIGINT DEFAULT 0 NOT NULL,
    requested BIGINT DEFAULT 0 NOT NULL,
    min_expires BIGINT DEFAULT 0 NOT NULL,
    retries BIGINT DEFAULT 0 NOT NULL,
    proxy BIGINT DEFAULT 0 NOT NULL,
    marks BIGINT DEFAULT 0 NOT NULL,
    root BIGINT DEFAULT 0 NOT NULL,
    fork BIGINT DEFAULT 0 NOT NULL,
    updated BIGINT DEFAULT 0 NOT NULL
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

INSERT IGNORE INTO version (table_name, table_version) VALUES ('presence_b2b_subscriptions', 1);

CREATE TABLE IF NOT EXISTS presence_b2b_nodes (
    id BIGINT PRIMARY KEY NOT NULL,
    epoch BIGINT DEFAULT 0 NOT NULL,
    hash_key VARCHAR(32) DEFAULT '' NOT NULL,
    shards BIGINT DEFAULT 0 NOT NULL,
    seen BIGINT DEFAULT 0 NOT NULL,
    stopped BIGINT DEFAULT 0 NOT NULL
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

INSERT IGNORE INTO version (table_name, table_version) VALUES ('presence_b2b_nodes', 1);

