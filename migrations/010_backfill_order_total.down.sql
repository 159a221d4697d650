UPDATE orders SET total_cents = NULL;
