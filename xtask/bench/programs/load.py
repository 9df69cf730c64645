"""Keeps an interpreter busy with what scripts do: calls, objects, text, patterns, sorting, JSON, compression, digests."""

import collections
import hashlib
import json
import random
import re
import zlib


class Order:
    def __init__(self, number):
        self.number = number
        self.lines = [(random.random(), f"item {n}") for n in range(20)]

    def total(self):
        return sum(price for price, _ in self.lines)


def depth(n):
    return 0 if n == 0 else 1 + depth(n - 1)


def turn(number):
    orders = [Order(n) for n in range(200)]
    orders.sort(key=Order.total)
    words = collections.Counter(re.findall(r"[a-z]+", " ".join(text for order in orders for _, text in order.lines)))
    text = json.dumps([vars(order) for order in orders])
    json.loads(text)
    zlib.compress(text.encode())
    hashlib.sha3_256(text.encode()).hexdigest()
    return depth(200) + len(words) + number


for number in iter(int, 1):
    turn(number)
