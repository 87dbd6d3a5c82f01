def forward(live, wanted): raise ValueError
