-- People who buy.
CREATE TABLE customers (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  email      text,
  full_name  text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
