// Buffers that all cores share, and who has their ports (docs/top/README.md, Buffers): Y, A and the optimiser's state. Compute goes first, of the
// cores the lowest that wants a port.
module top_buffers
  import top_pkg::write_t;
#(
  parameter int Cores = 1,
  parameter int YWords = 16384,
  parameter int AWords = 1024,
  parameter int SWords = 4096
) (
  input  logic                             clk_i,
  // load
  input  logic [7:0]                       load_write_i,   // by buffer number
  input  logic [top_pkg::AddrW-1:0]        load_addr_i,
  input  logic [top_pkg::BeatW-1:0]        load_data_i,
  output logic                             y_free_o,       // compute leaves the write port alone: of Y, of Sw, Sm, Sv
  output logic [2:0]                       s_free_o,
  // store
  input  logic [7:0]                       store_read_i,   // by buffer number
  input  logic [top_pkg::AddrW-1:0]        store_addr_i,
  output logic [7:0]                       store_grant_o,
  output logic [5*top_pkg::BeatW-1:0]      data_o,         // of Y, A, Sw, Sm, Sv, for whoever read
  // cores: partial sums from Y; results to Y, their masks to A
  input  logic [Cores-1:0]                 p_req_i,
  input  logic [Cores*top_pkg::AddrW-1:0]  p_addr_i,
  output logic [Cores-1:0]                 p_gnt_o,
  input  logic [Cores-1:0]                 r_req_i,
  output logic [Cores-1:0]                 r_gnt_o,
  input  logic [Cores*$bits(write_t)-1:0]  r_y_i,
  input  logic [Cores*$bits(write_t)-1:0]  r_mask_i,
  // optimiser: reads Sw, Sm, Sv, Y, writes state and copies
  input  logic [3:0]                       o_req_i,
  input  logic [4*top_pkg::AddrW-1:0]      o_addr_i,
  input  logic [2:0]                       o_s_we_i,
  input  logic [top_pkg::AddrW-1:0]        o_s_addr_i,
  input  logic [3*top_pkg::BeatW-1:0]      o_s_data_i,
  input  write_t                           o_y_i
);
  localparam int AddrW = top_pkg::AddrW;
  localparam int BeatW = top_pkg::BeatW;
  localparam int WriteW = $bits(write_t);

  for (genvar c = 0; c < Cores; c++) begin : gen_grant
    if (c == 0) begin : gen_first
      assign p_gnt_o[c] = 1'b1;
      assign r_gnt_o[c] = 1'b1;
    end else begin : gen_next
      assign p_gnt_o[c] = p_req_i[c-1:0] == '0;
      assign r_gnt_o[c] = r_req_i[c-1:0] == '0;
    end
  end
  function automatic logic [AddrW-1:0] pick_addr(input logic [Cores-1:0] req, input logic [Cores*AddrW-1:0] addr);
    pick_addr = '0;
    for (int c = Cores - 1; c >= 0; c--) if (req[c]) pick_addr = addr[AddrW*c +: AddrW];
  endfunction
  function automatic logic [WriteW-1:0] pick(input logic [Cores-1:0] req, input logic [Cores*WriteW-1:0] write);
    pick = '0;
    for (int c = Cores - 1; c >= 0; c--) if (req[c]) pick = write[WriteW*c +: WriteW];
  endfunction

  logic   y_read, y_write;
  write_t load, r_y, r_mask, y;
  assign load = {8'hff, load_addr_i, load_data_i};
  assign r_y = pick(r_req_i, r_y_i);
  assign r_mask = pick(r_req_i, r_mask_i);
  assign y_read = p_req_i != '0 || o_req_i[3];
  assign y_write = r_req_i != '0 || o_y_i.we != '0;
  assign y_free_o = !y_write;
  assign s_free_o = ~o_s_we_i;
  assign store_grant_o = {!o_req_i[2], !o_req_i[1], !o_req_i[0], 1'b1, !y_read, 3'b000};
  always_comb begin
    y = load;
    y.we = {8{load_write_i[top_pkg::BufY]}};
    if (o_y_i.we != '0) y = o_y_i;
    if (r_req_i != '0) y = r_y;
  end
  top_mem #(
    .Words(YWords)
  ) u_y (
    .clk_i,
    .re_i   (y_read || store_read_i[top_pkg::BufY]),
    .raddr_i((p_req_i != '0) ? pick_addr(p_req_i, p_addr_i) : o_req_i[3] ? o_addr_i[3*AddrW +: AddrW] : store_addr_i),
    .we_i   (y.we),
    .waddr_i(y.addr),
    .wdata_i(y.data),
    .rdata_o(data_o[0 +: BeatW])
  );
  top_mem #(
    .Words(AWords)
  ) u_a (
    .clk_i,
    .re_i   (store_read_i[top_pkg::BufA]),
    .raddr_i(store_addr_i),
    .we_i   (r_mask.we),
    .waddr_i(r_mask.addr),
    .wdata_i(r_mask.data),
    .rdata_o(data_o[BeatW +: BeatW])
  );
  for (genvar s = 0; s < 3; s++) begin : gen_state
    top_mem #(
      .Words(SWords)
    ) u_s (
      .clk_i,
      .re_i   (o_req_i[s] || store_read_i[top_pkg::BufSw + s]),
      .raddr_i(o_req_i[s] ? o_addr_i[AddrW*s +: AddrW] : store_addr_i),
      .we_i   ({8{o_s_we_i[s] || load_write_i[top_pkg::BufSw + s]}}),
      .waddr_i(o_s_we_i[s] ? o_s_addr_i : load_addr_i),
      .wdata_i(o_s_we_i[s] ? o_s_data_i[BeatW*s +: BeatW] : load_data_i),
      .rdata_o(data_o[BeatW*(2 + s) +: BeatW])
    );
  end

  logic unused;
  assign unused = ^{store_read_i[2:0], load_write_i[4], load_write_i[2:0]};
endmodule
