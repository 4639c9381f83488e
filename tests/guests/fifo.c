/* First in, first out, without the SDK: the contract of sdk/abi/README.md in C.
 *
 * clang --target=wasm32-unknown-unknown -nostdlib -O2 -Wl,--no-entry -Wl,-zstack-size=16384 \
 *       -o fifo.wasm fifo.c
 */
typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

#define EXPORT(name) __attribute__((export_name(#name)))
#define NONE 0xffffffffu
#define PAGE 65536u
#define VICTIMS_MAX 4096u

__asm__(".section .custom_section.larder.manifest,\"\",@\n"
        ".ascii \"{\\\"name\\\":\\\"fifo-c\\\",\\\"version\\\":\\\"1.0.0\\\",\"\n"
        ".ascii \"\\\"about\\\":\\\"First in, first out, in C\\\",\"\n"
        ".ascii \"\\\"kinds\\\":[\\\"eviction\\\"],\\\"parameters\\\":[]}\"\n"
        ".text\n");

EXPORT(larder_abi_v1) void larder_abi_v1(void) {}

/* Room for the setup, and for 256 events; an entry of this queue a slot follows in memory. */
static u64 buffer[1024];
static u32 victims[VICTIMS_MAX];
static u32 event_bytes;

typedef struct { u32 size, older, newer; } node;
extern u8 __heap_base;
#define nodes ((node *)(((u32)&__heap_base + 7u) & ~7u))
static u32 oldest = NONE, newest = NONE;

EXPORT(larder_buffer) void *larder_buffer(u32 bytes) {
  return bytes <= sizeof buffer ? buffer : 0;
}

static u32 word(const u8 *record, u32 at) { return *(const u32 *)(record + at); }

EXPORT(larder_init) int larder_init(u32 bytes) {
  event_bytes = bytes >= 12 ? word((const u8 *)buffer, 8) : 0;
  return event_bytes >= 16 ? 0 : 1; /* anything but 0 refuses */
}

static void insert(u32 slot, u32 size) {
  u64 end = (u64)(u32)(nodes + slot) + sizeof(node);
  u64 have = (u64)__builtin_wasm_memory_size(0) * PAGE;
  if (end > have && __builtin_wasm_memory_grow(0, (end - have + PAGE - 1) / PAGE) == -1ul)
    __builtin_trap();
  nodes[slot] = (node){size, newest, NONE};
  if (newest == NONE) oldest = slot; else nodes[newest].newer = slot;
  newest = slot;
}

static void drop(u32 slot) {
  node gone = nodes[slot];
  if (gone.older == NONE) oldest = gone.newer; else nodes[gone.older].newer = gone.newer;
  if (gone.newer == NONE) newest = gone.older; else nodes[gone.newer].older = gone.older;
}

EXPORT(larder_events) void larder_events(u32 count) {
  const u8 *record = (const u8 *)buffer;
  for (; count > 0; count--, record += event_bytes) {
    u32 slot = word(record, 4), size = word(record, 12);
    switch (record[0]) { /* what is not known is skipped */
    case 1: insert(slot, size); break;
    case 3: nodes[slot].size = size; break;
    case 4: drop(slot); break;
    }
  }
}

EXPORT(larder_victims) u64 larder_victims(u32 bytes) {
  u64 wanted = buffer[0], freed = 0;
  u32 count = 0;
  (void)bytes;
  for (u32 slot = oldest; slot != NONE && freed < wanted && count < VICTIMS_MAX; count++) {
    victims[count] = slot;
    freed += nodes[slot].size;
    slot = nodes[slot].newer;
  }
  return (u64)(u32)victims << 32 | count;
}
