-- The monitor's roles: one that only looks, one that may end sessions. Passwords are set by seed.py.
CREATE ROLE tend LOGIN CONNECTION LIMIT 20;
GRANT pg_monitor TO tend;
CREATE ROLE tend_healer LOGIN CONNECTION LIMIT 5;
GRANT pg_monitor, pg_signal_backend TO tend_healer;
