DROP VIEW customer_revenue;
