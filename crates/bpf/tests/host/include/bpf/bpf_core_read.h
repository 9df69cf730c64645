/* SPDX-License-Identifier: Apache-2.0 */
/* The host's structures are those of core.h as they stand there. A pointer that leads nowhere reads as zero, as it does in the kernel. */
#ifndef PYROPE_HOST_CORE_H
#define PYROPE_HOST_CORE_H

#define CORE_READ_1(from, a) ({ __typeof__((from)->a) value_ = 0; if (from) value_ = (from)->a; value_; })
#define CORE_READ_2(from, a, b) ({ __typeof__((from)->a) first_ = CORE_READ_1(from, a); CORE_READ_1(first_, b); })
#define CORE_READ_OF(one, two, name, ...) name
#define BPF_CORE_READ(from, ...) CORE_READ_OF(__VA_ARGS__, CORE_READ_2, CORE_READ_1)(from, __VA_ARGS__)

#define bpf_core_enum_value_exists(type, value) 1
#define bpf_core_type_exists(type) 1
#define bpf_core_field_exists(field) 1
#define bpf_core_field_offset(type, field) __builtin_offsetof(type, field)

#endif
