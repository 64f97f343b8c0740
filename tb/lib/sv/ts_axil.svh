// An AXI4-Lite port whose signals are called axil_..._i and axil_..._o, as the records of ts_axil_pkg.
`ifndef TS_AXIL_SVH
`define TS_AXIL_SVH
`define TS_AXIL_REQ {axil_awvalid_i, axil_awaddr_i, axil_wvalid_i, axil_wdata_i, axil_wstrb_i, axil_bready_i, \
                     axil_arvalid_i, axil_araddr_i, axil_rready_i}
`define TS_AXIL_RSP {axil_awready_o, axil_wready_o, axil_bvalid_o, axil_bresp_o, axil_arready_o, axil_rvalid_o, \
                     axil_rdata_o, axil_rresp_o}
`endif
