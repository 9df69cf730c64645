-- A table in memory: filled, indexed, joined, grouped, changed, searched by pattern.
CREATE TABLE sale(id INTEGER PRIMARY KEY, city TEXT, amount REAL, note TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000)
    INSERT INTO sale SELECT i, 'city ' || (i * 7919 % 997), random() / 1e15, hex(randomblob(12)) FROM n;
CREATE INDEX by_city ON sale(city, amount);
SELECT count(*) FROM (SELECT city, sum(amount), avg(amount) FROM sale GROUP BY city ORDER BY 2);
SELECT count(*) FROM sale one JOIN sale two ON one.id = two.id + 1 WHERE one.city < two.city;
SELECT count(*) FROM sale WHERE note LIKE '%AB%CD%' OR note GLOB '*E?F*';
SELECT count(*) FROM (SELECT id, row_number() OVER (PARTITION BY city ORDER BY amount) FROM sale);
UPDATE sale SET note = lower(note) WHERE id % 3 = 0;
DELETE FROM sale WHERE id % 2 = 0;
DROP TABLE sale;
